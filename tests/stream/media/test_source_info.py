import pytest

from stream.media.source_info import CompanionStream, Damage


@pytest.mark.parametrize(
    ("codec", "metadata", "label"),
    [
        ("aac", {"language": "ger"}, "audio 1 (aac) ger"),
        ("aac", {"language": "und"}, "audio 1 (aac)"),
        ("", {}, "audio 1"),
    ],
)
def test_a_companion_is_named_in_a_few_words(codec: str, metadata: dict[str, str], label: str) -> None:
    assert CompanionStream(index=1, kind="audio", codec=codec, metadata=metadata, handle=None).label == label


def test_an_undamaged_input_has_no_text() -> None:
    assert not Damage().any
    assert Damage().text == ""


def test_damage_is_reported_in_one_line() -> None:
    damage = Damage(packets=2, frames=3, truncated=True, end_seconds=1.25, promised_seconds=4)
    assert damage.any
    assert damage.text == (
        "2 damaged packets were skipped, 3 frames are damaged, the input ends too early, at 1.2 s instead of 4.0 s"
    )
    assert Damage(truncated=True).text == "the input ends too early"


def test_a_time_is_not_compared_with_itself() -> None:
    early = Damage(truncated=True, end_seconds=1.2, promised_seconds=3.0)
    assert early.text == "the input ends too early, at 1.2 s instead of 3.0 s"
    late = Damage(truncated=True, end_seconds=1.16, promised_seconds=1.24)
    assert late.text == "the input ends too early, at 1.2 s"
    assert Damage(truncated=True, end_seconds=1.2).text == "the input ends too early, at 1.2 s"
    assert Damage(truncated=True, promised_seconds=1.2).text == "the input ends too early instead of 1.2 s"
