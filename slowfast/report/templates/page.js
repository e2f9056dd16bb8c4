"use strict";
const { classes, voters, clips } = JSON.parse(document.getElementById("values").textContent);
const find = (id) => document.getElementById(id);
const PER_PAGE = 24;
const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
let shown = [], page = 0;

function node(tag, text, style) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (style) made.className = style;
  return made;
}
const percent = (share) => `${Math.round(100 * share)} %`;
const nameOf = (label) => (label < 0 ? "none" : classes[label]);
const guessOf = (clip, voter) => (voter < 0 ? [clip.l, clip.c] : clip.v[voter] || [-1, 0]);
const splits = (clip) => new Set(clip.v.filter(Boolean).map((vote) => vote[0])).size;
const KINDS = {
  all: () => true, plays: (clip) => Boolean(clip.f), gone: (clip) => Boolean(clip.e), split: (clip) => splits(clip) > 1,
  kept: (clip) => clip.r.length > 0, left: (clip) => !clip.r.length, wrong: (clip) => clip.t >= 0 && clip.t !== clip.l,
};
const byName = (a, b) => a.n.localeCompare(b.n, "en", { numeric: true });
const ORDERS = {
  least: (a, b) => a.m - b.m, most: (a, b) => b.m - a.m, split: (a, b) => splits(b) - splits(a) || a.m - b.m, name: byName,
};

function film(clip) {
  const gone = (reason) => node("div", reason, "gone");
  if (!clip.f) return gone(clip.e || "not among the clips that play in this report");
  const video = node("video");
  Object.assign(video, { muted: true, loop: true, playsInline: true, autoplay: !still, controls: still, src: clip.f });
  video.setAttribute("aria-label", `${clip.n}: left as recorded, right after gamma`);
  video.tabIndex = 0;
  const turn = () => (video.paused ? video.play() : video.pause());
  video.onclick = turn;
  video.onkeydown = (event) => event.key === " " && (event.preventDefault(), turn());
  video.onerror = () => video.replaceWith(gone(`${clip.f.slice(0, 60)} does not play; keep the clips beside this page`));
  return video;
}

function card(clip) {
  const made = node("article", undefined, "clip"), list = node("dl");
  const row = (name, text, style) => list.append(node("dt", name), node("dd", text, style));
  if (clip.t >= 0) row("truth", nameOf(clip.t));
  const mark = (label) => (clip.t < 0 ? "" : label === clip.t ? "ok" : "no");
  const sign = (label) => ({ "": "", ok: " ✓", no: " ✗" })[mark(label)];
  row(clip.v.length > 1 ? "together" : "label", `${nameOf(clip.l)} ${percent(clip.c)}${sign(clip.l)}`, mark(clip.l));
  if (clip.v.length > 1) clip.v.forEach((vote, index) => vote &&
    row(voters[index], `${nameOf(vote[0])} ${percent(vote[1])}${sign(vote[0])}`, mark(vote[0])));
  clip.r.forEach(([round, label]) => row(round, `kept as ${nameOf(label)}${sign(label)}`, mark(label)));
  made.append(film(clip), node("h3", clip.n), list);
  return made;
}

function draw() {
  const pages = Math.max(1, Math.ceil(shown.length / PER_PAGE));
  page = Math.min(Math.max(page, 0), pages - 1);
  find("count").textContent = `${shown.length} of ${clips.length} clips, page ${page + 1} of ${pages}`;
  find("cards").replaceChildren(...shown.slice(page * PER_PAGE, (page + 1) * PER_PAGE).map(card));
  find("back").disabled = page === 0;
  find("forward").disabled = page === pages - 1;
}

function filter() {
  const voter = Number(find("voter").value), label = Number(find("class").value), kind = KINDS[find("kind").value];
  const low = find("from").value / 100 - 0.005, high = find("to").value / 100 + 0.005;
  const text = find("search").value.toLowerCase();
  shown = clips.filter((clip) => {
    const [own, sure] = guessOf(clip, voter);
    return (label < 0 || own === label) && sure >= low && sure <= high && kind(clip) && clip.n.toLowerCase().includes(text);
  });
  shown.sort(ORDERS[find("order").value]);
  page = 0;
  draw();
}

find("filters").addEventListener("input", filter);
find("filters").addEventListener("submit", (event) => event.preventDefault());
find("back").onclick = () => { page--; draw(); };
find("forward").onclick = () => { page++; draw(); };
filter();
