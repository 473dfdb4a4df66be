// Frames of a camera -> faces that keep their number, with landmarks that do not tremble: as
// keras_lotr/tracking/tracker.py, which explains the rules.

import { assign, distance } from "./association.js";
import { qualityOf } from "./certainty.js";
import { boxOf } from "./geometry.js";
import { warp } from "./pixels.js";
import { Track } from "./track.js";

// `detect`: image -> [{box, score}], proposed faces. `landmarksOf`: crops, matrices -> [{points,
// sigma, visible, quality}]. `facts`: those of src/facts.json. A tracker has no clock of its own,
// and is for one camera; a call of next waits for the one before.
export class FaceTracker {
  #models;
  #facts;
  #numbers;
  #nextId = 0;
  #tracks;
  #time;
  #steps; // seconds between the last frames
  #isLong; // whether it was long since the frame before
  #since; // frames since the detector looked

  constructor(detect, landmarksOf, facts) {
    this.#models = { detect, landmarksOf };
    this.#facts = facts;
    this.#numbers = facts.tracking.tracker;
    this.reset();
  }

  // Forget all faces, before another part of the video; numbers are not used again.
  reset() {
    [this.#tracks, this.#time, this.#steps, this.#since] = [[], null, [], Infinity];
    this.#isLong = false;
  }

  // The faces of the next frame, [{trackId, points, box, score, degrees, sigma, visible, quality}];
  // the timestamp in seconds is later than that of the frame before. Numbers count from 0.
  async next(image, timestamp) {
    if (this.#time !== null && !(timestamp > this.#time)) {
      throw new Error(`A frame's time must be later than ${this.#time}. Received: ${timestamp}.`);
    }
    this.#forgetAfterGap(timestamp);
    this.#time = timestamp;
    this.#since += 1;
    const looked = this.#isDue();
    if (looked) await this.#look(image);
    await this.#find(image, this.#visible);
    if (!looked && this.#visible.some((track) => track.doubtful)) {
      await this.#find(image, await this.#look(image));
    }
    for (const track of this.#visible) if (track.lost) track.hide();
    this.#part();
    this.#tracks = this.#tracks.filter((track) => !this.#hasEnded(track));
    return this.#visible.filter(({ sure }) => sure).map((track) => this.#result(track));
  }

  get #visible() {
    return this.#tracks.filter(({ hidden }) => !hidden);
  }

  #forgetAfterGap(timestamp) {
    if (this.#time === null) return;
    const [step, { hold, gap, usual, long }] = [timestamp - this.#time, this.#numbers];
    this.#isLong = step > long;
    const isGap = this.#steps.length && step > Math.max(hold, gap * Math.max(...this.#steps));
    if (isGap) this.reset();
    else this.#steps = [...this.#steps, step].slice(-usual);
  }

  // Whether the detector is to look at this frame.
  #isDue() {
    if (this.#isLong) return true;
    const { every, hidden_every: hiddenEvery } = this.#numbers;
    const visible = this.#visible;
    const isDoubted = visible.some(
      ({ misses, doubtful, confirmed, sure }) => misses || doubtful || confirmed === 1 || !sure,
    );
    const wait = isDoubted ? 1 : visible.length < this.#tracks.length ? hiddenEvery : every;
    return this.#since >= Math.min(wait, every);
  }

  // Ask the detector, and give the tracks that begin at what it found, new or again.
  async #look(image) {
    this.#since = 0;
    const { off } = this.#numbers;
    const faces = await this.#models.detect(image);
    const matches = this.#matches(image, faces);
    const begun = [];
    for (const track of this.#tracks) {
      const face = matches.get(track);
      if (!face) {
        this.#miss(track);
        continue;
      }
      const isFar = distance(track.expected(this.#time), face.box) > off;
      if (isFar && !track.hidden && track.doubtful) track.hide();
      if (track.hidden) begun.push(track);
      track.confirm(face, this.#time);
    }
    const known = this.#visible.map((track) => track.expected(this.#time));
    const taken = new Set(matches.values());
    for (const face of faces) {
      if (taken.has(face) || known.some((box) => distance(face.box, box) < off)) continue;
      begun.push(new Track(this.#nextId, face, this.#time, this.#facts));
      this.#tracks.push(begun.at(-1));
      this.#nextId += 1;
    }
    return begun;
  }

  #miss(track) {
    track.misses += 1;
    const isPatient = track.sure && !track.doubtful;
    const patience = isPatient ? Math.min(this.#numbers.patience, track.confirmed) : 1;
    if (!track.hidden && track.misses >= patience) track.hide();
  }

  // Map from tracks to their faces, which are given first to the tracks that have them most likely:
  // one that the detector missed may have been led astray by what covered its face.
  #matches(image, faces) {
    const { near, lost, lost_rate: lostRate } = this.#numbers;
    const matches = new Map();
    const found = this.#visible.filter((track) => !track.misses);
    const missed = this.#visible.filter((track) => track.misses);
    const hidden = this.#tracks.filter((track) => track.hidden);
    let left = faces;
    for (const tracks of [found, missed, hidden]) {
      const cost = this.#apart(tracks, left).map((line, row) => {
        if (!tracks[row].hidden && !this.#isLong) return line;
        return line.map((value, i) => value + 1 - tracks[row].likenessTo(image, left[i]));
      });
      const limits = tracks.map((track) =>
        track.hidden || this.#isLong ? lost + lostRate * track.unclearFor(this.#time) : near,
      );
      for (const [row, column] of assign(cost, limits)) matches.set(tracks[row], left[column]);
      const taken = new Set(matches.values());
      left = left.filter((face) => !taken.has(face));
    }
    return matches;
  }

  // How far detected faces are from where these tracks should be.
  #apart(tracks, faces) {
    const expected = tracks.map((track) => track.expected(this.#time));
    return expected.map((box) => faces.map((face) => distance(box, face.box)));
  }

  // Landmarks of these tracks, all in one call.
  async #find(image, tracks) {
    const matrices = tracks.map((track) => track.crop(this.#time, this.#isLong));
    const crops = matrices.map((matrix) => warp(image, matrix, this.#facts.landmarker.image_size));
    const found = await this.#models.landmarksOf(crops, matrices);
    tracks.forEach((track, i) => track.update(found[i], crops[i], matrices[i], this.#time));
  }

  // Of two tracks on one face, the one that the detector missed is hidden; if it found both or none
  // of them, the one that is less like itself.
  #part() {
    const { same, free, old } = this.#numbers;
    const tracks = this.#visible;
    const apart = tracks.map(({ box }, i) =>
      tracks.map((other, j) => (i === j ? Infinity : distance(box, other.box))),
    );
    tracks.forEach((first, i) => {
      for (let j = i + 1; j < tracks.length; j++) {
        if (apart[i][j] >= same || first.hidden || tracks[j].hidden) continue;
        const second = tracks[j];
        const isSame = Boolean(first.misses) === Boolean(second.misses);
        const isFirst = isSame ? first.likeItself <= second.likeItself : first.misses > 0;
        (isFirst ? first : second).hide();
      }
    });
    tracks.forEach((track, i) => {
      if (track.hidden || track.misses) return;
      const isFound = this.#since === 0; // by the detector, just now
      const isClear = (isFound || !track.doubtful) && apart[i].every((value) => value > free);
      // Of two faces that stay close together, what is known must not grow old.
      if (isClear || (isFound && track.unclearFor(this.#time) > old)) track.seenClearly(this.#time);
      if (isClear && isFound && !track.doubtful) track.compare();
    });
  }

  // Whether a face has gone: for too long, or it was none, or none for certain.
  #hasEnded(track) {
    const isCertain = track.sure && track.confirmed > 1;
    return track.hidden && (!isCertain || track.unclearFor(this.#time) > this.#numbers.hold);
  }

  #result(track) {
    const { trackId, isFresh, known, smoothed: points } = track;
    const { score } = track.face;
    const box = isFresh ? track.face.box : boxOf(points);
    const degrees = isFresh ? 0 : track.degrees;
    const quality = qualityOf(known.sigma, points, this.#facts.landmarker.certainty);
    return { trackId, ...known, quality, points, box, score, degrees };
  }
}
