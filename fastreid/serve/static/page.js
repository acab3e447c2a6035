/* The page of the search service. Texts of the server and of files are only ever set as text. */

import { whyAction } from "./why.js";

const byId = (id) => document.getElementById(id);
const main = byId("main");
const form = byId("search");
const files = byId("files");
const found = byId("found");
const results = byId("results");

/*
 * Buttons on results: {label, isOffered(result, gallery), run(result, pictures)}. `result` is an
 * object of /api/search, `gallery` that of /api/gallery, `pictures` are the files of the search.
 */
const resultActions = [whyAction(ask)];

let pictures = [];
let gallery = null;
let running = null;

class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function ask(path, options = {}) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, "The server does not answer. Is it still running?");
  }
  const answer = await response.json().catch((error) => {
    if (error.name === "AbortError") throw error;
    return {};
  });
  if (!response.ok) {
    const message = answer.detail || `The server answered with an error (${response.status}).`;
    throw new Refused(response.status, message);
  }
  return answer;
}

function show(element, text) {
  element.textContent = text;
  element.hidden = !text;
}

function count(number, one, many) {
  return `${number.toLocaleString()} ${number === 1 ? one : many}`;
}

/* Start, and the token. */

async function start() {
  try {
    gallery = await ask("api/gallery");
  } catch (error) {
    byId("sign-in").hidden = error.status !== 401;
    if (error.status === 401) {
      byId("token").focus();
    } else {
      main.hidden = false;
      show(byId("error"), error.message);
    }
    return;
  }
  byId("sign-in").hidden = true;
  main.hidden = false;
  describeGallery();
}

byId("sign-in").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    await ask("api/session", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ token: byId("token").value }),
    });
  } catch (error) {
    show(byId("sign-in-error"), error.message);
    byId("token").select();
    return;
  }
  show(byId("sign-in-error"), "");
  await start();
  files.focus();
});

function describeGallery() {
  const parts = [
    count(gallery.images, "image", "images"),
    count(gallery.identities, "identity", "identities"),
    count(gallery.cameras.length, "camera", "cameras"),
  ];
  byId("summary").textContent = parts.join(" · ");
  byId("top").max = gallery.limits.results;
  byId("top").value = Math.min(byId("top").value, gallery.limits.results);
  byId("times").hidden = gallery.earliest === null;
  byId("cameras").hidden = !gallery.cameras.length;
  byId("camera-list").replaceChildren(...gallery.cameras.map(cameraChoice));
  byId("status").textContent = gallery.images
    ? "Choose a picture of a person to search for."
    : "The gallery is empty: add images with tools/gallery.py.";
}

function cameraChoice(name) {
  const label = document.createElement("label");
  const box = document.createElement("input");
  box.type = "checkbox";
  box.name = "camera";
  box.value = name;
  label.append(box, ` ${name}`);
  return label;
}

/* The pictures of the person. */

function addPictures(list) {
  const added = [...list];
  if (!added.length) return;
  pictures = [...pictures, ...added];
  show(byId("error"), "");
  showPictures();
}

function showPictures() {
  for (const image of byId("queries").querySelectorAll("img")) URL.revokeObjectURL(image.src);
  byId("queries").replaceChildren(...pictures.map(pictureItem));
}

function pictureItem(file, index) {
  const item = document.createElement("li");
  const image = document.createElement("img");
  image.alt = file.name;
  image.addEventListener("error", () => {
    const name = document.createElement("span");
    name.className = "unread";
    name.textContent = file.name;
    image.replaceWith(name);
  });
  image.src = URL.createObjectURL(file);
  const remove = document.createElement("button");
  remove.type = "button";
  remove.textContent = "×";
  remove.setAttribute("aria-label", `Remove ${file.name}`);
  remove.addEventListener("click", () => {
    pictures = pictures.filter((_, other) => other !== index);
    showPictures();
    const buttons = byId("queries").querySelectorAll("button");
    (buttons[Math.min(index, buttons.length - 1)] || files).focus();
  });
  item.append(image, remove);
  return item;
}

files.addEventListener("change", () => {
  addPictures(files.files);
  files.value = "";
});

for (const [type, isOver] of [["dragenter", true], ["dragover", true], ["dragleave", false], ["drop", false]]) {
  byId("drop").addEventListener(type, () => byId("drop").classList.toggle("over", isOver));
}

/* A picture that misses the box must not replace the page. */
window.addEventListener("dragover", (event) => {
  if (event.target !== files) event.preventDefault();
});
window.addEventListener("drop", (event) => {
  if (event.target === files) return;
  event.preventDefault();
  addPictures(event.dataTransfer.files);
});
window.addEventListener("paste", (event) => {
  if (!main.hidden) addPictures(event.clipboardData.files);
});

/* The search. */

const threshold = byId("threshold");
function showThreshold() {
  const value = Number(threshold.value);
  byId("threshold-value").textContent = value <= -1 ? "none" : value.toFixed(2);
  threshold.setAttribute("aria-valuetext", byId("threshold-value").textContent);
}
threshold.addEventListener("input", showThreshold);

function mistake() {
  const limits = gallery.limits;
  const top = byId("top");
  if (!pictures.length) return [files, "Choose a picture of a person first."];
  if (pictures.length > limits.crops) {
    return [files, `There are ${pictures.length} pictures; at most ${limits.crops} are allowed.`];
  }
  const bytes = pictures.reduce((sum, file) => sum + file.size, 0);
  if (bytes > limits.upload_bytes) {
    const most = Math.round(limits.upload_bytes / 1e6);
    return [files, `The pictures have more than ${most} MB together; choose fewer or smaller ones.`];
  }
  if (!top.checkValidity() || !top.value) {
    return [top, `The number of results must be from 1 to ${limits.results}.`];
  }
  return null;
}

function searchForm() {
  const data = new FormData();
  for (const file of pictures) data.append("images", file, file.name);
  data.append("top", byId("top").value);
  data.append("rerank", byId("rerank").checked);
  if (Number(threshold.value) > -1) data.append("min_similarity", threshold.value);
  for (const pid of byId("pids").value.split(",").map((text) => text.trim())) {
    if (pid) data.append("pid", pid);
  }
  const mode = form.querySelector("[name=camera-mode]:checked").value;
  if (mode !== "all") {
    for (const box of form.querySelectorAll("[name=camera]:checked")) data.append(mode, box.value);
  }
  for (const name of ["since", "before"]) {
    const value = byId(name).value;
    if (value) data.append(name, new Date(value).getTime() / 1000);
  }
  return data;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (!gallery) {
    await start();
    if (!gallery) return;
  }
  const wrong = mistake();
  if (wrong) {
    const [element, message] = wrong;
    show(byId("error"), message);
    element.focus();
    return;
  }
  running?.abort();
  const own = new AbortController();
  running = own;
  found.setAttribute("aria-busy", "true");
  byId("status").textContent = "Searching …";
  show(byId("error"), "");
  const searched = [...pictures];
  try {
    const body = searchForm();
    const answer = await ask("api/search", { method: "POST", body, signal: own.signal });
    if (running !== own) return;
    showResults(answer, searched);
  } catch (error) {
    if (running !== own) return;
    results.replaceChildren();
    byId("status").textContent = "";
    show(byId("error"), error.message);
    if (error.status === 401) await start();
  } finally {
    if (running === own) found.setAttribute("aria-busy", "false");
  }
});

function showResults(answer, searched) {
  const number = answer.results.length;
  const from = answer.pictures > 1 ? ` for the mean of ${answer.pictures} pictures` : "";
  byId("status").textContent = number
    ? `${count(number, "result", "results")}${from} in ${answer.seconds.toFixed(2)}\u00a0s`
    : nothingFound();
  results.replaceChildren(...answer.results.map((result) => resultCard(result, searched)));
  if (number && found.getBoundingClientRect().top > window.innerHeight * 0.8) {
    found.scrollIntoView({ block: "start" });
  }
}

function nothingFound() {
  return gallery.images
    ? "Nothing was found with these filters and this smallest similarity."
    : "The gallery is empty: add images with tools/gallery.py.";
}

function resultCard(result, searched) {
  const card = byId("result").content.firstElementChild.cloneNode(true);
  const set = (name, text) => {
    const row = card.querySelector(`.${name}`);
    row.hidden = !text;
    row.querySelector("dd").textContent = text;
  };
  card.querySelector(".rank").textContent = result.rank;
  set("score", result.distance.toFixed(3));
  card.querySelector(".score").title = `Similarity ${result.similarity.toFixed(3)}`;
  set("reranked", result.reranked === null ? "" : result.reranked.toFixed(3));
  set("pid", result.pid);
  set("camid", result.camid);
  set("time", result.time === null ? "" : new Date(result.time * 1000).toLocaleString());
  set("file", result.file.split("/").pop());
  card.querySelector(".file dd").title = result.file;
  card.querySelector(".picture").append(pictureOf(result));
  for (const action of resultActions.filter((each) => each.isOffered(result, gallery))) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = action.label;
    button.setAttribute("aria-label", `${action.label} Rank ${result.rank}`);
    button.addEventListener("click", () => action.run(result, searched));
    card.querySelector(".actions").append(button);
  }
  return card;
}

function pictureOf(result) {
  const none = document.createElement("span");
  none.textContent = "no picture";
  if (!result.image) return none;
  const image = document.createElement("img");
  const labels = [result.pid && `identity ${result.pid}`, result.camid && `camera ${result.camid}`];
  image.alt = [`Rank ${result.rank}`, ...labels.filter(Boolean)].join(", ");
  image.loading = "lazy";
  image.addEventListener("error", () => image.replaceWith(none));
  image.src = `api/image/${result.id}`;
  return image;
}

showThreshold();
start();
