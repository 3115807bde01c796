"""The code keeps its shape: imports point one way and never in a circle, and everything stays small enough to read."""

import ast
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

MAY_IMPORT = {
    "emocolor": set(),
    "engines": {"emocolor"},
    "stream": {"emocolor", "engines"},
    "training": {"emocolor", "engines"},
}
"""What each package may import of the others."""

PURE_IMPORTS = {"numpy", "cv2", "msgspec"} | set(sys.stdlib_module_names)
IMPURE_IMPORTS = {"threading", "asyncio", "pathlib", "subprocess", "time", "socket", "os", "io"}
"""Files, clocks, threads and devices: they stay out of emocolor, whose functions turn arrays into arrays."""

MAX_FUNCTION_LINES = 80
MAX_PARAMETERS = 15
MAX_MODULE_LINES = 450
MAX_MODULES_IN_A_FOLDER = 20

TESTED_ELSEWHERE = {
    "engines": ("test_imports.py", "lazy loading can only be seen in a fresh process"),
    "stream": ("test_imports.py", "lazy loading can only be seen in a fresh process"),
}
"""Modules with logic that have no test file of their own, the file that tests them, and why it is that one."""

MAY_SLEEP = {
    "stream/live/webrtc_clients.py": "its cameras and microphones send at a pace",
}
"""Files under tests/ that may sleep, and why."""


@dataclass(frozen=True)
class Module:
    """One Python file of ours."""

    name: str
    """Dotted name; a package is named without ``__init__``."""
    path: Path
    tree: ast.Module

    @property
    def test_file(self) -> str:
        """Its test file below tests/."""
        *folders, last = self.path.relative_to(ROOT).with_suffix("").parts
        return "/".join([*folders, f"test_{last.strip('_')}.py"])

    @property
    def package(self) -> str:
        """The package in which relative imports of this module start."""
        return self.name if self.path.name == "__init__.py" else self.name.rpartition(".")[0]

    @property
    def lines(self) -> int:
        return len(self.path.read_text().splitlines())


@dataclass(frozen=True)
class Import:
    """One imported module of ours."""

    target: str
    deferred: bool
    """Inside a function: it runs when the function is called, not when the module is loaded."""


@cache
def modules() -> Mapping[str, Module]:
    found = {}
    for path in sorted(path for package in MAY_IMPORT for path in (ROOT / package).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if path.name == "__init__.py" else parts)
        found[name] = Module(name, path, ast.parse(path.read_text()))
    return found


@cache
def modules_of_tests() -> tuple[Module, ...]:
    paths = sorted((ROOT / "tests").rglob("*.py"))
    return tuple(Module(str(path.relative_to(ROOT / "tests")), path, ast.parse(path.read_text())) for path in paths)


def imports_in(module: Module) -> list[Import]:
    """What ``module`` imports of ours, but for type checkers alone.

    Loading ``a.b`` loads ``a`` too; that is not counted, or every package that lists its public names would be a cycle.
    """
    found: list[Import] = []

    def visit(node: ast.AST, deferred: bool) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
                continue
            if isinstance(child, ast.Import | ast.ImportFrom):
                found.extend(Import(target, deferred) for target in _targets(module, child))
            visit(child, deferred or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda))

    visit(module.tree, False)
    return found


def _targets(module: Module, node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    else:
        base = node.module or ""
        if node.level:
            start = module.package.split(".")[: len(module.package.split(".")) - node.level + 1]
            base = ".".join([*start, base] if base else start)
        names = [f"{base}.{alias.name}" if f"{base}.{alias.name}" in modules() else base for alias in node.names]
    yield from (name for name in names if name in modules())


@cache
def import_graph(*, deferred: bool) -> dict[str, set[str]]:
    """Every module and what it imports, with or without the imports inside functions."""
    return {
        name: {found.target for found in imports_in(module) if deferred or not found.deferred}
        for name, module in modules().items()
    }


def room_graph(package: str) -> dict[str, set[str]]:
    """The rooms of ``package``, which are its subpackages and the modules beside them, and what each imports."""
    depth = package.count(".") + 2
    graph: dict[str, set[str]] = {}
    for name, targets in import_graph(deferred=True).items():
        if name.startswith(f"{package}."):
            room = ".".join(name.split(".")[:depth])
            inside = {".".join(t.split(".")[:depth]) for t in targets if t.startswith(f"{package}.")}
            graph.setdefault(room, set()).update(inside - {room})
    return graph


def cycle_in(graph: Mapping[str, set[str]]) -> list[str]:
    """Names along one cycle, or nothing; a depth-first search that keeps its path."""
    finished: set[str] = set()

    def search(name: str, path: list[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in finished:
            return []
        for target in sorted(graph.get(name, ())):
            if found := search(target, [*path, name]):
                return found
        finished.add(name)
        return []

    return next((found for name in graph if (found := search(name, []))), [])


def external_imports(tree: ast.Module) -> set[str]:
    """First words of all absolute imports."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module)
    return {name.split(".")[0] for name in names}


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_point_one_way(package):
    ours = [module for name, module in modules().items() if name.split(".")[0] == package]
    assert ours
    for module in ours:
        wrong = (external_imports(module.tree) & set(MAY_IMPORT)) - MAY_IMPORT[package] - {package}
        assert not wrong, f"{module.name} imports {wrong}"


def test_the_core_stays_pure():
    for name, module in modules().items():
        if name.split(".")[0] == "emocolor":
            found = external_imports(module.tree)
            assert found - {"emocolor"} <= PURE_IMPORTS, name
            assert not found & IMPURE_IMPORTS, name


def test_a_cycle_is_found():
    assert cycle_in({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert cycle_in({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_no_module_imports_itself_through_others_when_loaded():
    found = cycle_in(import_graph(deferred=False))
    assert not found, " -> ".join(found)


def test_no_import_inside_a_function_hides_a_cycle():
    found = cycle_in(import_graph(deferred=True))
    assert not found, " -> ".join(found)


@pytest.mark.parametrize("package", ["emocolor", "engines", "stream", "stream.live", "training"])
def test_rooms_depend_on_each_other_one_way(package):
    found = cycle_in(room_graph(package))
    assert not found, " -> ".join(found)


def functions_in(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def modules_and_tests() -> list[Module]:
    return [*modules().values(), *modules_of_tests()]


def test_functions_stay_short():
    long = {
        f"{module.path.relative_to(ROOT)}:{function.lineno} {function.name}": lines
        for module in modules_and_tests()
        for function in functions_in(module.tree)
        if (lines := (function.end_lineno or 0) - function.lineno + 1) > MAX_FUNCTION_LINES
    }
    assert not long, "\n".join(f"{name}: {count}" for name, count in long.items())


def test_functions_take_few_parameters():
    many = {
        f"{module.path.relative_to(ROOT)}:{function.lineno} {function.name}": count
        for module in modules_and_tests()
        for function in functions_in(module.tree)
        if (count := len([*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs])) > MAX_PARAMETERS
    }
    assert not many, "\n".join(f"{name}: {count}" for name, count in many.items())


def test_modules_stay_short():
    long = {str(m.path.relative_to(ROOT)): m.lines for m in modules_and_tests() if m.lines > MAX_MODULE_LINES}
    assert not long, "\n".join(f"{name}: {count}" for name, count in long.items())


def test_a_folder_holds_one_idea():
    folders = {module.path.parent for module in modules().values()}
    counts = {
        str(folder.relative_to(ROOT)): len([path for path in folder.glob("*.py") if path.name != "__init__.py"])
        for folder in folders
    }
    crowded = {folder: count for folder, count in counts.items() if count > MAX_MODULES_IN_A_FOLDER}
    assert not crowded, crowded


def has_logic(tree: ast.Module) -> bool:
    """Whether any function does something; declarations of protocols, constants and fields do not."""
    return any(not _is_empty(function.body) for function in functions_in(tree))


def _is_empty(body: list[ast.stmt]) -> bool:
    """A docstring or ``...`` alone."""
    return all(isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant) for line in body)


def test_every_module_with_logic_has_its_test_file():
    there = {module.name for module in modules_of_tests()}
    lacking = []
    for name, module in modules().items():
        expected, _ = TESTED_ELSEWHERE.get(name, (module.test_file, ""))
        if has_logic(module.tree) and expected not in there:
            lacking.append(f"{name}: tests/{expected}")
    assert not lacking, "\n".join(lacking)


def test_every_exception_is_still_needed():
    there = {module.name for module in modules_of_tests()}
    for name in TESTED_ELSEWHERE:
        assert name in modules(), f"{name} is gone"
        assert has_logic(modules()[name].tree), f"{name} holds no logic"
        assert modules()[name].test_file not in there, f"{name} has a test file by now"
    assert set(MAY_SLEEP) <= there


def test_tests_mirror_the_packages():
    """A test file stands where its module stands, or in the folder of the part that it tests as a whole."""
    folders = {module.path.parent.relative_to(ROOT) for module in modules().values()}
    extra = {Path("stream/live/page"), Path("benchmarks"), Path("cases"), Path("fuzz"), Path()}
    for module in modules_of_tests():
        assert Path(module.name).parent in folders | extra, module.name


def test_there_is_no_package_below_tests():
    """One named ``stream`` there would hide the real one."""
    assert list((ROOT / "tests").rglob("__init__.py")) == []


def test_tests_do_not_sleep():
    """They wait for events, or pass a clock; handing the loop over (``sleep(0)``) is no sleep."""
    found = [
        f"{module.name}:{call.lineno}"
        for module in modules_of_tests()
        if module.name not in MAY_SLEEP and not module.name.startswith("benchmarks/")
        for call in ast.walk(module.tree)
        if isinstance(call, ast.Call)
        and ast.unparse(call.func) in ("time.sleep", "asyncio.sleep", "sleep")
        and ast.unparse(call.args[0]) != "0"
    ]
    assert not found, "\n".join(found)


def test_tests_do_not_patch_our_modules():
    """What a test must change is a parameter; only what lies outside, as ``sys.platform``, may be patched."""
    found = []
    for module in modules_of_tests():
        ours = _names_of_our_modules(module)
        for call in ast.walk(module.tree):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "setattr":
                target = call.args[0]
                text = target.value if isinstance(target, ast.Constant) else ast.unparse(target)
                if str(text).split(".")[0] in MAY_IMPORT or text in ours:
                    found.append(f"{module.name}:{call.lineno} {text}")
    assert not found, "\n".join(found)


def _names_of_our_modules(module: Module) -> set[str]:
    return {
        alias.asname or alias.name
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ImportFrom) and not node.level and node.module
        for alias in node.names
        if f"{node.module}.{alias.name}" in modules()
    }
