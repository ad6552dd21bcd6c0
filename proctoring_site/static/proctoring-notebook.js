/**
 * What waits, written down in the browser (IndexedDB): sessions by id, and their events in order.
 *
 * Whatever is asked of it rejects while it cannot be done: no IndexedDB, a full disk, one that hangs, data that somebody
 * clears. It tells `lost` when what it held may be gone, and opens itself again.
 */

const DATABASE = "proctoring-client";
/** How long somebody waits for a disk that hangs, and then, until it answers again; events are sent from memory. */
const PATIENCE_MS = 4000;
const IMPATIENCE_MS = 100;

function allOf(sessionId) {
  return IDBKeyRange.bound([sessionId], [sessionId, Infinity]);
}

export class Notebook extends EventTarget {
  /** @type {Promise<IDBDatabase>|null} */
  #opening = null;
  #patienceMs = PATIENCE_MS;

  /** Replace a record by what `change` makes of it, or nothing by undefined; one tab at a time. */
  async update(id, change) {
    let changed;
    await this.#transact("readwrite", (sessions) => {
      const reading = sessions.get(id);
      reading.onsuccess = () => (changed = change(reading.result)) && sessions.put(changed);
    });
    return changed;
  }

  sessions() {
    return this.#transact("readonly", (sessions) => sessions.getAll());
  }

  write(sessionId, events) {
    return this.#transact("readwrite", (_, store) => {
      for (const event of events) store.put({ sessionId, sequence: event.sequence, event });
    });
  }

  /** The first events that wait, oldest first. */
  async waiting(sessionId, count) {
    const rows = await this.#transact("readonly", (_, store) => store.getAll(allOf(sessionId), count));
    return rows.map((row) => row.event);
  }

  count(sessionId) {
    return this.#transact("readonly", (_, store) => store.count(allOf(sessionId)));
  }

  remove(sessionId, events) {
    return this.#transact("readwrite", (_, store) => {
      for (const event of events) store.delete([sessionId, event.sequence]);
    });
  }

  /** Everything of a session, or just its events. */
  forget(sessionId, { record = true } = {}) {
    return this.#transact("readwrite", (sessions, store) => {
      if (record) sessions.delete(sessionId);
      store.delete(allOf(sessionId));
    });
  }

  /** `work(sessions, events)` may return a request, whose result comes out once the transaction is on disk. */
  async #transact(mode, work) {
    const database = await this.#inTime((this.#opening ??= this.#open()));
    const done = new Promise((resolve, reject) => {
      const transaction = database.transaction(["sessions", "events"], mode, { durability: "strict" });
      transaction.onabort = () => reject(transaction.error);
      const request = work(transaction.objectStore("sessions"), transaction.objectStore("events"));
      transaction.oncomplete = () => resolve(request?.result);
    });
    const result = await this.#inTime(done);
    this.#patienceMs = PATIENCE_MS;
    return result;
  }

  /**
   * Opening takes for ever when another page has asked to delete the database, and a transaction when another page was
   * frozen in the middle of one: nobody waits long for that twice.
   */
  async #inTime(promise) {
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => {
        this.#patienceMs = IMPATIENCE_MS;
        reject(new DOMException("The disk does not answer.", "TimeoutError"));
      }, this.#patienceMs);
    });
    return Promise.race([promise, late]).finally(() => clearTimeout(timer));
  }

  #open() {
    const opening = new Promise((resolve, reject) => {
      const asked = indexedDB.open(DATABASE, 1); // throws where it is switched off altogether
      asked.onupgradeneeded = () => {
        asked.result.createObjectStore("sessions", { keyPath: "id" });
        asked.result.createObjectStore("events", { keyPath: ["sessionId", "sequence"] });
      };
      asked.onsuccess = () => resolve(asked.result);
      asked.onerror = () => reject(asked.error);
    });
    const forget = () => this.#opening === opening && (this.#opening = null);
    const close = (database) => {
      database.close();
      forget();
      this.dispatchEvent(new Event("lost"));
    };
    const listen = (database) => {
      database.onclose = () => close(database); // by the browser: the data were cleared, or the disk failed
      database.onversionchange = () => close(database); // another page deletes it, and would wait for this one
    };
    opening.then(listen, forget);
    return opening;
  }
}
