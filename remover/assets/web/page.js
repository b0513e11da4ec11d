// The page: which sample is shown, what is said of it, and the keys.

import { Clock } from "./clock.js";

const KINDS = ["original", "overlay", "result"];
const SMALL = 256; // pixels of the shorter side below which pixels are shown as squares
const $ = (id) => document.getElementById(id);

const items = new Map(); // by id
let order = []; // ids as they are listed
let queue = []; // ids to be judged, the one that is shown first
let given = []; // ids that have a verdict, the latest last
let decks = [...document.querySelectorAll(".deck")]; // the one that is shown, and the next one's
let isSaving = false;
let isSeen = false; // whether all three videos of the sample had a picture yet
const clock = new Clock(showTime);

async function load() {
  try {
    const answer = await fetch("items");
    if (!answer.ok) throw new Error(await reasonOf(answer));
    const found = await answer.json();
    for (const item of found.items) items.set(item.id, item);
    order = found.items.map((item) => item.id);
    given = found.history;
  } catch (error) {
    $("count").textContent = "Not loaded";
    complain(`The samples could not be read. ${sentence(error)}`);
    return;
  }
  queue = order.filter((id) => items.get(id).verdict === null);
  show();
}

function show() {
  const item = items.get(queue[0]);
  isSeen = false;
  if (item === undefined) clock.hold([], 1, 1);
  else showItem(item);
  showCount();
  $("done").hidden = item !== undefined;
  $("stage").hidden = $("time").hidden = item === undefined;
  for (const id of ["yes", "no", "skip"]) $(id).hidden = item === undefined;
  if (item === undefined) showDone();
  else say(`${words(tally())}. ${item.clip}, ${order.indexOf(item.id) + 1} of ${order.length}`);
}

function showItem(item) {
  if (decks[0].dataset.id !== item.id) decks.reverse();
  fill(decks[0], item);
  decks[0].hidden = false;
  decks[1].hidden = true;
  $("name").textContent = item.clip;
  $("name").title = `${item.clip}, sample ${item.id}`;
  $("seek").max = item.frames - 1;
  clock.hold(videosOf(decks[0]), item.fps, item.frames);
  if (queue.length > 1) fill(decks[1], items.get(queue[1]));
}

function videosOf(deck) {
  return [...deck.querySelectorAll("video")];
}

// Let a deck load the videos of an item, unless it has them.
function fill(deck, item) {
  if (deck.dataset.id === item.id) return;
  deck.dataset.id = item.id;
  deck.classList.toggle("small", Math.min(item.width, item.height) < SMALL);
  deck.classList.toggle("tall", item.height > item.width);
  deck.style.setProperty("--shape", item.width / item.height);
  for (const [number, video] of videosOf(deck).entries()) {
    video.src = `videos/${encodeURIComponent(item.id)}/${KINDS[number]}.mp4`;
  }
}

function showDone() {
  const skipped = order.filter((id) => items.get(id).verdict === "skip").length;
  $("name").textContent = "";
  $("done-text").textContent = `${words(tally())}.`;
  $("skipped").hidden = skipped === 0;
  $("skipped").replaceChildren(`Judge the ${skipped} skipped `, key("k"));
  say(`All done. ${words(tally())}.`);
  $("done").focus();
}

function key(letter) {
  const element = document.createElement("kbd");
  element.textContent = letter;
  return element;
}

function tally() {
  const found = { yes: 0, no: 0, skip: 0 };
  for (const item of items.values()) if (item.verdict !== null) found[item.verdict] += 1;
  return found;
}

function words({ yes, no, skip }) {
  const judged = yes + no + skip;
  const skipped = skip > 0 ? `, ${skip} skipped` : "";
  return `${judged} of ${order.length}, ${yes} yes, ${no} no${skipped}`;
}

function showCount() {
  const found = tally();
  $("count").textContent = words(found);
  document.title = `${words(found)} - remover`;
  const bar = $("bar");
  for (const [name, count] of Object.entries(found)) {
    bar.querySelector(`.${name}`).style.width = `${(100 * count) / order.length}%`;
  }
  bar.setAttribute("aria-valuemax", order.length);
  bar.setAttribute("aria-valuenow", given.length);
  bar.setAttribute("aria-valuetext", words(found));
  const last = items.get(given.at(-1));
  $("last").textContent = last ? `last: ${last.verdict}, ${last.clip}` : "";
  showButtons();
}

function showButtons() {
  const isFailed = hasFailed();
  isSeen ||= clock.isReady;
  const isReady = !isSaving && queue.length > 0 && (isSeen || isFailed);
  $("yes").disabled = !isReady || isFailed;
  $("no").disabled = $("skip").disabled = !isReady;
  $("back").disabled = isSaving || given.length === 0;
}

function hasFailed() {
  return queue.length > 0 && videosOf(decks[0]).some((video) => video.error);
}

// Called for every picture that the screen shows.
function showTime() {
  const pause = clock.isPlaying ? "Pause" : "Play";
  if ($("pause").textContent !== pause) $("pause").textContent = pause;
  const at = clock.frame;
  if (document.activeElement !== $("seek") || clock.isPlaying) $("seek").value = at;
  const text = `frame ${at + 1} of ${clock.frames}`;
  if ($("frame").textContent !== text) {
    $("frame").textContent = text;
    $("seek").setAttribute("aria-valuetext", text);
  }
  const speed = `${clock.speed}×`;
  if ($("speed").textContent !== speed) $("speed").textContent = speed;
  $("pause").disabled = hasFailed();
  showButtons();
}

// Save a verdict; only when it is on the disk the next sample comes.
async function judge(verdict) {
  if ($(verdict).disabled || queue.length === 0) return;
  const id = queue[0];
  if (!(await save(id, verdict))) return;
  items.get(id).verdict = verdict;
  given = [...given.filter((other) => other !== id), id];
  queue = queue.slice(1);
  show();
}

async function back() {
  if (isSaving) return;
  const id = given.at(-1);
  if (id === undefined) {
    say("There is nothing to take back.");
    return;
  }
  if (!(await save(id, "undo"))) return;
  items.get(id).verdict = null;
  given = given.slice(0, -1);
  queue = [id, ...queue.filter((other) => other !== id)];
  show();
}

function reviewSkipped() {
  queue = order.filter((id) => items.get(id).verdict === "skip");
  show();
}

async function save(id, verdict) {
  isSaving = true;
  showButtons();
  try {
    const answer = await fetch("verdicts", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ id, verdict }),
    });
    if (!answer.ok) throw new Error(await reasonOf(answer));
    complain("");
    return true;
  } catch (error) {
    complain(`Not saved. ${sentence(error)}`);
    return false;
  } finally {
    isSaving = false;
    showButtons();
  }
}

async function reasonOf(answer) {
  const text = await answer.text();
  if (!answer.headers.get("Content-Type")?.startsWith("application/json")) return text.trim();
  const { message, hint } = JSON.parse(text);
  return hint ? `${message}; ${hint}` : message;
}

function sentence(error) {
  if (error instanceof TypeError) {
    return "Nobody answers: is the command that printed this page's address still running?";
  }
  const text = error.message.replaceAll("`", "");
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

function complain(text) {
  $("alert").textContent = text;
  $("alert").hidden = text === "";
}

function enlarge() {
  $("large").setAttribute("aria-pressed", document.body.classList.toggle("enlarged"));
}

function say(text) {
  $("said").textContent = text;
}

const actions = {
  yes: () => judge("yes"),
  no: () => judge("no"),
  skip: () => judge("skip"),
  back,
  pause: () => clock.toggle(),
  before: () => clock.step(-1),
  after: () => clock.step(1),
  slower: () => clock.faster(-1),
  faster: () => clock.faster(1),
  normal: () => clock.faster(0),
  restart: () => clock.restart(),
  skipped: () => $("done").hidden || $("skipped").hidden || reviewSkipped(),
  large: enlarge,
  help: () => $("guide").showModal(),
};

const keys = {
  y: "yes", n: "no", s: "skip", b: "back", u: "back", " ": "pause", ",": "before", ".": "after",
  arrowleft: "before", arrowright: "after", "-": "slower", "+": "faster", "=": "faster",
  0: "normal", r: "restart", z: "large", k: "skipped", "?": "help",
};

const held = new Set(["before", "after"]); // go on while the key is held down

for (const [name, act] of Object.entries(actions)) {
  $(name)?.addEventListener("click", (event) => {
    if (event.detail > 0) event.currentTarget.blur(); // else the space bar would press it again
    act();
  });
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || $("guide").open) return;
  const pressed = event.key.toLowerCase();
  const isOnButton = event.target instanceof HTMLButtonElement;
  if (isOnButton && (pressed === " " || pressed === "enter")) return; // presses the button
  if (pressed === "c") document.body.classList.add("swapped");
  const name = keys[pressed];
  if (name === undefined) return;
  event.preventDefault();
  if (!event.repeat || held.has(name)) actions[name]();
});

document.addEventListener("keyup", (event) => {
  if (event.key.toLowerCase() === "c") document.body.classList.remove("swapped");
});
window.addEventListener("blur", () => document.body.classList.remove("swapped"));

$("seek").addEventListener("input", () => clock.still($("seek").valueAsNumber));

for (const deck of decks) {
  for (const video of videosOf(deck)) {
    video.addEventListener("error", () => {
      if (deck === decks[0] && video.error && queue.length > 0) {
        complain(`The ${video.getAttribute("aria-label").toLowerCase()} of this sample cannot be played.`);
      }
    });
  }
}

load();
