"use strict";
const { classes } = JSON.parse(document.getElementById("values").textContent);
const find = (id) => document.getElementById(id);
const tab = Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, "0")).join("");
const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
const films = new Map();
let clip = null, busy = false;

const percent = (share) => `${(100 * share).toFixed(0)} %`;
function node(tag, text, style) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (style) made.className = style;
  return made;
}

async function ask(path, body) {
  const [name, more] = path.split("?");
  const options = body && { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  const answer = await fetch(`${name}?tab=${tab}${more ? `&${more}` : ""}`, options || {});
  const value = await answer.json();
  if (!answer.ok) throw new Error(value.error);
  return value;
}

function film(row) {
  if (!films.has(row)) {
    const made = fetch(`clip/${row}`).then(async (answer) => {
      if (!answer.ok) throw new Error((await answer.json()).error);
      // Loaded before it is shown, so that it plays at once.
      const video = node("video");
      Object.assign(video, { muted: true, loop: true, playsInline: true, preload: "auto", controls: still });
      video.src = URL.createObjectURL(await answer.blob());
      return video;
    });
    made.catch(() => {});
    films.set(row, made);
    while (films.size > 16) {
      const [oldest, video] = films.entries().next().value;
      films.delete(oldest);
      video.then(({ src }) => URL.revokeObjectURL(src), () => {});
    }
  }
  return films.get(row);
}

async function play(row) {
  const stage = find("stage");
  try {
    const video = await film(row);
    if (!clip || clip.row !== row) return;
    video.setAttribute("aria-label", `${clip.name}: left as recorded, right after gamma`);
    const lost = () => stage.replaceChildren(node("div", "this browser does not play the clip", "gone"));
    if (video.error) return lost();
    video.onerror = lost;
    stage.replaceChildren(video);
    if (!still) video.play().catch(() => {});
  } catch (error) {
    if (clip && clip.row === row) stage.replaceChildren(node("div", `cannot be read: ${error.message}`, "gone"));
  }
}

function tell(state) {
  const parts = [`${state.decided} of ${state.clips} decided`, `${state.confirm} confirmed`, `${state.correct} corrected`,
    `${state.reject} rejected`];
  if (state.unknown) parts.push(`${state.unknown} decisions are of clips that this table does not have`);
  if (state.damaged) parts.push(`${state.damaged} damaged lines of the journal are passed over`);
  find("progress").textContent = parts.join(", ");
  const from = `${state.sampled} random and ${state.reviewed} useful clips`;
  find("precision").textContent = state.precision === null ? `Not known yet: ${from}.` :
    `${(100 * state.precision).toFixed(1)} % (${(100 * state.low).toFixed(1)} to ${(100 * state.high).toFixed(1)} %), from ${from}.`;
}

function show(answer) {
  tell(answer.state);
  clip = answer.clip;
  find("review").hidden = !clip;
  find("done").hidden = Boolean(clip) || answer.left > 0;
  if (!clip && answer.left > 0) fail(new Error("the clips that are left are open in another tab; reload in a while"));
  if (!clip) return;
  find("label").textContent = classes[clip.label];
  find("sure").textContent = `${percent(clip.confidence)} sure`;
  find("name").textContent = clip.name;
  find("before").hidden = !clip.before;
  if (clip.before) find("before").textContent = `decided before: ${clip.before[0]} ${classes[clip.before[1]] || ""}`;
  find("others").replaceChildren(...clip.others.map(([label, share], index) => {
    const made = node("button");
    made.type = "button";
    made.setAttribute("aria-keyshortcuts", String(index + 1));
    made.append(node("kbd", index + 1), ` ${classes[label]} `, node("span", percent(share), "note"));
    made.onclick = () => decide("correct", label);
    return made;
  }));
  find("other").value = "-1";
  find("votes").replaceChildren(...clip.votes.map(([name, label, share]) =>
    node("li", `${name}: ${classes[label]} ${percent(share)}`, label === clip.label ? "" : "no")));
  if (!clip.votes.length) find("votes").append(node("li", "not given (--predictions, --tables)", "note"));
  find("stage").replaceChildren(node("div", "loading", "gone"));
  play(clip.row);
  answer.ahead.forEach(film);
}

function fail(error) {
  find("error").hidden = false;
  find("error").textContent = error instanceof TypeError ? "the review's command does not answer; is it still running?" : error.message;
}

async function go(path, body) {
  if (busy) return;
  busy = true;
  try {
    const answer = await ask(path, body);
    find("error").hidden = true;
    if (path === "undo" && !answer.clip) throw new Error("this tab has nothing to undo");
    show(answer);
  } catch (error) {
    fail(error);
  } finally {
    busy = false;
  }
}

const decide = (decision, label) => clip && go("decide", { row: clip.row, decision, label });
function turn() {
  const video = document.querySelector("video");
  if (video) video.paused ? video.play() : video.pause();
}
const KEYS = {
  Enter: () => decide("confirm"), x: () => decide("reject"), u: () => go("undo", {}), " ": turn,
  s: () => clip && go("skip", { row: clip.row }), c: () => find("other").focus(),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.target.closest("select, input")) return;
  if (event.target.closest("button") && ["Enter", " "].includes(event.key)) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const other = /^[1-9]$/.test(key) && clip && clip.others[Number(key) - 1];
  if (!KEYS[key] && !other) return;
  event.preventDefault();
  if (other) decide("correct", other[0]);
  else KEYS[key]();
});
find("confirm").onclick = KEYS.Enter;
find("reject").onclick = KEYS.x;
find("undo").onclick = KEYS.u;
find("skip").onclick = KEYS.s;
find("pause").onclick = turn;
function pick() {
  const label = Number(find("other").value);
  if (label < 0) return;
  find("other").blur();
  decide("correct", label);
}
find("other").addEventListener("keydown", (event) => event.key === "Enter" && (event.preventDefault(), pick()));
find("other").addEventListener("change", (event) => find("other").matches(":focus-visible") || pick());
setInterval(async () => {
  try {
    const state = await ask(clip ? `state?row=${clip.row}` : "state");
    tell(state);
    if (state.this && state.this[2] !== tab && clip && !busy) {
      find("before").hidden = false;
      find("before").textContent = `decided elsewhere a moment ago: ${state.this[0]} ${classes[state.this[1]] || ""}`;
    }
  } catch (error) {
    fail(error);
  }
}, 2000);
go("next");
