/**
 * Makes recordings of the browser seekable. `MediaRecorder` writes WebM as it comes: without a duration, and without an
 * index (Cues), for which players need the positions of all clusters. Both are added here, the media stays as it is.
 *
 * EBML: RFC 8794. Matroska, of which WebM is a part: RFC 9559.
 */

const SEGMENT = 0x18538067;
const SEEK_HEAD = 0x114d9b74;
const INFO = 0x1549a966;
const TRACKS = 0x1654ae6b;
const CLUSTER = 0x1f43b675;
const CUES = 0x1c53bb6b;
const TOP_LEVEL = [SEEK_HEAD, INFO, TRACKS, CLUSTER, CUES, 0x1043a770, 0x1254c367, 0x1941a469]; // chapters, tags, files
const VOID = 0xec;
const [TIMESTAMP, SIMPLE_BLOCK, BLOCK_GROUP, BLOCK, REFERENCE] = [0xe7, 0xa3, 0xa0, 0xa1, 0xfb];
const [DURATION, TRACK_ENTRY, TRACK_NUMBER, TRACK_TYPE, VIDEO] = [0x4489, 0xae, 0xd7, 0x83, 1];
const UNKNOWN = Infinity;
/** Bytes that are read at once, and the most that the header of an element or a block has. */
const WINDOW = 1 << 20;
const MOST_OF_A_HEADER = 32;
/** Bytes of the index of what stands before the clusters: three entries, their positions in eight bytes each. */
const SEEK_ENTRIES = 3;

/** Resolves to the recording with duration and index; to the same one where it is no WebM that can be read. */
export async function seekable(recording) {
  if (!recording.type.includes("webm")) return recording;
  try {
    return await withIndex(recording, await scan(new Bytes(recording)));
  } catch {
    return recording; // it plays from its start to its end, as it did before
  }
}

/** Reads a blob in windows, so that an hour of video is never in memory. */
class Bytes {
  #start = 0;
  #window = new Uint8Array();

  constructor(blob) {
    this.blob = blob;
  }

  /** Up to `count` bytes from `position` on. */
  async at(position, count) {
    const end = Math.min(position + count, this.blob.size);
    if (position < this.#start || end > this.#start + this.#window.length) {
      this.#start = position;
      const size = Math.max(count, WINDOW);
      this.#window = new Uint8Array(await this.blob.slice(position, position + size).arrayBuffer());
    }
    return this.#window.subarray(position - this.#start, end - this.#start);
  }

  /** The element at `position`: its id, where its data begins, and where they end (`UNKNOWN` where that is not told). */
  async element(position) {
    const bytes = await this.at(position, MOST_OF_A_HEADER);
    const id = number(bytes, 0, true);
    const size = number(bytes, id.length, false);
    const start = position + id.length + size.length;
    const unknown = size.value === 2 ** (7 * size.length) - 1;
    return { id: id.value, position, start, end: unknown ? UNKNOWN : start + size.value };
  }
}

/** A number of variable length (RFC 8794, section 4): its value, with or without the marker, and its length. */
function number(bytes, at, marked) {
  const length = Math.clz32(bytes[at]) - 23;
  if (!(length >= 1 && length <= 8) || at + length > bytes.length) throw new Error("no EBML");
  let value = marked ? bytes[at] : bytes[at] & (0xff >> length);
  for (let k = 1; k < length; k++) value = value * 256 + bytes[at + k];
  return { value, length };
}

/** What the recording holds: its parts, and the key frames of its video with the clusters that they are in. */
async function scan(bytes) {
  const found = { keys: [], first: null, last: 0, blocks: 0, video: 1 };
  const header = await bytes.element(0);
  const segment = await bytes.element(header.end);
  if (segment.id !== SEGMENT) throw new Error("no WebM");
  found.header = [0, header.end];
  let position = segment.start;
  while (position < Math.min(segment.end, bytes.blob.size)) {
    const element = await bytes.element(position);
    if (element.id === INFO) found.info = await childrenOf(bytes, element);
    if (element.id === TRACKS) {
      found.tracks = [position, element.end];
      found.video = await videoTrack(bytes, element);
    }
    if (element.id === CLUSTER) {
      found.clusters ??= position;
      position = await scanCluster(bytes, element, found);
    } else position = element.end;
  }
  if (!found.info || !found.tracks || !found.clusters || !found.keys.length) throw new Error("incomplete");
  return found;
}

async function childrenOf(bytes, parent) {
  const children = [];
  for (let position = parent.start; position < parent.end; ) {
    const child = await bytes.element(position);
    children.push(child);
    position = child.end;
  }
  return children;
}

async function videoTrack(bytes, tracks) {
  for (const entry of await childrenOf(bytes, tracks)) {
    if (entry.id !== TRACK_ENTRY) continue;
    const values = {};
    for (const { id, start, end } of await childrenOf(bytes, entry)) {
      if (id === TRACK_NUMBER || id === TRACK_TYPE) values[id] = unsigned(await bytes.at(start, end - start));
    }
    if (values[TRACK_TYPE] === VIDEO) return values[TRACK_NUMBER];
  }
  throw new Error("no video");
}

const unsigned = (bytes) => bytes.reduce((value, byte) => value * 256 + byte, 0);

/** Note the key frames and times of a cluster; returns where it ends. */
async function scanCluster(bytes, cluster, found) {
  const end = Math.min(cluster.end, bytes.blob.size);
  let [position, time] = [cluster.start, 0];
  while (position < end) {
    const child = await bytes.element(position);
    if (TOP_LEVEL.includes(child.id)) break; // the end of a cluster of unknown size
    if (child.id === TIMESTAMP) time = unsigned(await bytes.at(child.start, child.end - child.start));
    if (child.id === SIMPLE_BLOCK) await noteBlock(bytes, child.start, { cluster, time, found });
    if (child.id === BLOCK_GROUP) {
      const inside = await childrenOf(bytes, child);
      const block = inside.find(({ id }) => id === BLOCK);
      const key = !inside.some(({ id }) => id === REFERENCE);
      if (block) await noteBlock(bytes, block.start, { cluster, time, found, key });
    }
    position = child.end;
  }
  return position;
}

async function noteBlock(bytes, start, { cluster, time, found, key = null }) {
  const head = await bytes.at(start, MOST_OF_A_HEADER);
  const track = number(head, 0, false);
  const relative = (((head[track.length] << 8) | head[track.length + 1]) << 16) >> 16; // signed
  const at = time + relative;
  const isKey = key ?? Boolean(head[track.length + 2] & 0x80);
  if (track.value !== found.video) return;
  found.first ??= at;
  found.last = Math.max(found.last, at);
  found.blocks += 1;
  if (isKey && found.keys.at(-1)?.cluster !== cluster.position) found.keys.push({ cluster: cluster.position, time: at });
}

async function withIndex(recording, found) {
  const { blob } = new Bytes(recording);
  const interval = found.blocks > 1 ? (found.last - found.first) / (found.blocks - 1) : 0;
  const kept = found.info.filter(({ id }) => id !== DURATION && id !== VOID);
  const info = new Blob([...kept.map(({ position, end }) => blob.slice(position, end)), float(DURATION, found.last + interval)]);
  const parts = [
    new Blob([opening(INFO, info.size), info]),
    blob.slice(...found.tracks),
    blob.slice(found.clusters),
  ];
  const before = SEEK_ENTRIES * entryToSeek(INFO, 0).length;
  const seekHeadSize = opening(SEEK_HEAD, before).length + before;
  const positions = [seekHeadSize];
  for (const part of parts) positions.push(positions.at(-1) + part.size);
  const [infoAt, tracksAt, clustersAt, cuesAt] = positions;
  const seekHead = element(SEEK_HEAD, [entryToSeek(INFO, infoAt), entryToSeek(TRACKS, tracksAt), entryToSeek(CUES, cuesAt)]);
  const cues = element(CUES, found.keys.map(({ cluster, time }) => cue(found.video, time, cluster - found.clusters + clustersAt)));
  const size = cuesAt + cues.length;
  const all = [blob.slice(...found.header), opening(SEGMENT, size), seekHead, ...parts, cues];
  return new Blob(all, { type: recording.type });
}

const entryToSeek = (id, position) => element(0x4dbb, [element(0x53ab, [idBytes(id)]), element(0x53ac, [whole(position)])]);

const cue = (track, time, position) =>
  element(0xbb, [element(0xb3, [whole(time)]), element(0xb7, [element(0xf7, [whole(track)]), element(0xf1, [whole(position)])])]);

function element(id, parts) {
  const size = parts.reduce((sum, part) => sum + part.length, 0);
  return joined([opening(id, size), ...parts]);
}

/** The id and the size, in eight bytes. */
function opening(id, size) {
  const bytes = whole(size);
  bytes[0] = 1;
  return joined([idBytes(id), bytes]);
}

function idBytes(id) {
  const bytes = whole(id);
  return bytes.subarray(bytes.findIndex((byte) => byte !== 0));
}

/** A whole number in eight bytes. */
function whole(value) {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(Math.max(0, Math.round(value))));
  return bytes;
}

function float(id, value) {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setFloat64(0, value);
  return element(id, [bytes]);
}

function joined(parts) {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
