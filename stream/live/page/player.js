/** The two videos: which of them is shown, mirrored or not, full screen or not. */

export class Player {
  #element;
  #original;
  #recolored;

  /** @param {HTMLElement} element that holds the two videos and the divider */
  constructor(element) {
    this.#element = element;
    this.#original = element.querySelector("#original");
    this.#recolored = element.querySelector("#recolored");
    for (const video of [this.#original, this.#recolored]) {
      video.addEventListener("resize", () => this.#fit(video));
    }
    const split = element.querySelector("#split");
    const move = () => element.style.setProperty("--split", `${split.value}%`);
    split.addEventListener("input", move);
    move();
  }

  /** The recoloured stream, for recording. */
  get stream() {
    return this.#recolored.srcObject;
  }

  showOriginal(stream) {
    this.#original.srcObject = stream;
  }

  /** Resolves once the first frame of the stream is shown. */
  async showRecolored(stream) {
    this.#recolored.srcObject = stream;
    if (stream) await new Promise((resolve) => this.#recolored.addEventListener("loadeddata", resolve, { once: true }));
  }

  /** `recolored` shows the recoloured video alone, `side-by-side` both, `split` one over the other with a divider. */
  set view(view) {
    this.#element.dataset.view = view;
  }

  set mirrored(mirrored) {
    this.#element.classList.toggle("mirrored", mirrored);
  }

  get mirrored() {
    return this.#element.classList.contains("mirrored");
  }

  set audible(audible) {
    this.#recolored.muted = !audible;
  }

  /** Whether this browser can show the player in full screen, or at least the video: iPhones have that alone. */
  get canFillScreen() {
    return Boolean(this.#element.requestFullscreen || this.#recolored.webkitEnterFullscreen);
  }

  async toggleFullScreen() {
    if (document.fullscreenElement) await document.exitFullscreen();
    else if (this.#element.requestFullscreen) await this.#element.requestFullscreen();
    else this.#recolored.webkitEnterFullscreen();
  }

  /** The current recoloured frame as a PNG, mirrored as it is shown. */
  async snapshot() {
    const { videoWidth: width, videoHeight: height } = this.#recolored;
    const canvas = Object.assign(document.createElement("canvas"), { width, height });
    const context = canvas.getContext("2d");
    if (this.mirrored) context.setTransform(-1, 0, 0, 1, width, 0);
    context.drawImage(this.#recolored, 0, 0);
    return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  }

  #fit({ videoWidth, videoHeight }) {
    if (videoWidth) this.#element.style.setProperty("--aspect", videoWidth / videoHeight);
  }
}
