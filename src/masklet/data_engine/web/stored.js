// Masks that a model proposed or a file brought, where the session has none: shown dashed, and what brush,
// polygon and a button begin with.

import { get } from "./api.js";
import { MaskStore } from "./mask_store.js";

const within = (stretches, frame) => (stretches ?? []).some(([first, last]) => first <= frame && frame <= last);

export class Stored {
  #masks;

  constructor(editor) {
    this.editor = editor;
    const { id } = editor.video;
    this.#masks = new MaskStore(
      editor.video,
      async (first, count) => (await get(`videos/${id}/masks`, { first, count })).masks,
    );
    this.changed = this.#masks.changed;
    this.changed.on(() => editor.stage.invalidate("masks"));
    editor.session.changed.on(() => this.#look());
    editor.player.moved.on(() => this.#look());
  }

  #look() {
    const { frame, player, session, viewer } = this.editor;
    const objects = session.objects.filter((one) => one.origin !== "manual");
    viewer.guests = objects.map((object) => ({ object, masks: this }));
    if (objects.some((one) => !within(one.tracked, frame))) this.#masks.want(frame, player.direction);
  }

  /** The mask of an object where the session has none of its own; as of a store. */
  get(number, frame) {
    const { session } = this.editor;
    const object = session.object(number);
    if (!object || object.origin === "manual" || within(object.tracked, frame) || session.masks.get(number, frame))
      return undefined;
    const record = this.#masks.get(number, frame);
    return record?.area ? record : undefined;
  }

  shape = (record) => this.#masks.shape(record);
}
