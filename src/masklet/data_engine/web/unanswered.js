// Actions that were sent and not answered: they outlive a reload in this tab, and go again under their names.

const key = (task) => `masklet.unanswered.${task.id}`;

/** Those of a task that an earlier load of the page has left; of another lease they are of no use. */
export function leftOf(task) {
  try {
    const { lease, actions } = JSON.parse(sessionStorage.getItem(key(task))) ?? {};
    return lease === task.lease ? (actions ?? []) : [];
  } catch {
    return [];
  }
}

export function keep(task, actions) {
  try {
    if (actions.length) sessionStorage.setItem(key(task), JSON.stringify({ lease: task.lease, actions }));
    else sessionStorage.removeItem(key(task));
  } catch {
    /* storage is refused or full: they go again after a lost connection only */
  }
}
