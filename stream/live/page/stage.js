/** The place where pictures are shown: what is seen of them, mirrored or not, on the whole screen or not. */

export class Stage {
  #element;
  #original;
  #coloured;

  /** @param {HTMLElement} element that holds the two videos and the divider */
  constructor(element) {
    this.#element = element;
    this.#original = element.querySelector("#original");
    this.#coloured = element.querySelector("#coloured");
    for (const video of [this.#original, this.#coloured]) {
      video.addEventListener("resize", () => this.#fit(video));
    }
    const divide = element.querySelector("#divide");
    const divided = () => element.style.setProperty("--divide", `${divide.value}%`);
    divide.addEventListener("input", divided);
    divided();
  }

  /** The coloured picture, for whoever copies it. */
  get video() {
    return this.#coloured;
  }

  showOriginal(stream) {
    this.#original.srcObject = stream;
  }

  /** Resolves once a picture of the stream is seen. */
  async showColoured(stream) {
    this.#coloured.srcObject = stream;
    if (stream) await new Promise((resolve) => this.#coloured.addEventListener("loadeddata", resolve, { once: true }));
  }

  /** What is seen: the `coloured` picture, both `beside` each other, or one `over` the other. */
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
    this.#coloured.muted = !audible;
  }

  /** Whether this browser can fill the screen with the stage, or at least with the video (iPhones). */
  get canFill() {
    return Boolean(this.#element.requestFullscreen || this.#coloured.webkitEnterFullscreen);
  }

  async toggleFullScreen() {
    if (document.fullscreenElement) await document.exitFullscreen();
    else if (this.#element.requestFullscreen) await this.#element.requestFullscreen();
    else this.#coloured.webkitEnterFullscreen();
  }

  /** The coloured picture as a PNG, mirrored as it is seen. */
  async snapshot() {
    const { videoWidth: width, videoHeight: height } = this.#coloured;
    const canvas = Object.assign(document.createElement("canvas"), { width, height });
    const context = canvas.getContext("2d");
    if (this.mirrored) context.setTransform(-1, 0, 0, 1, width, 0);
    context.drawImage(this.#coloured, 0, 0);
    return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  }

  #fit({ videoWidth, videoHeight }) {
    if (videoWidth) this.#element.style.setProperty("--aspect", videoWidth / videoHeight);
  }
}
