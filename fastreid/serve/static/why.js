/* The dialog that shows why a result matches. Texts of the server are only ever set as text. */

const byId = (id) => document.getElementById(id);
const dialog = byId("why");
const numbers = {
  query_places: "why-query-places",
  result_places: "why-result-places",
  bias: "why-bias",
  rest: "why-rest",
  cosine: "why-cosine",
};

let running = null;

byId("why-close").addEventListener("click", () => dialog.close());
dialog.addEventListener("close", () => {
  running?.abort();
  running = null;
});

/* The button "Why?" of a result. `ask(path, options)` sends a request and returns its object. */
export function whyAction(ask) {
  return {
    label: "Why?",
    isOffered: (result, gallery) => Boolean(gallery?.explanations && result.image),
    run: (result, pictures) => explain(ask, result, pictures),
  };
}

async function explain(ask, result, pictures) {
  const own = new AbortController();
  running = own;
  byId("why-title").textContent = `Why rank ${result.rank}?`;
  byId("why-status").textContent = "Comparing the two pictures …";
  byId("why-error").hidden = true;
  byId("why-answer").hidden = true;
  dialog.showModal();
  const body = new FormData();
  body.append("images", pictures[0], pictures[0].name);
  body.append("id", result.id);
  try {
    const answer = await ask("api/explain", { method: "POST", body, signal: own.signal });
    if (running !== own) return;
    showAnswer(answer, pictures.length);
  } catch (error) {
    if (running !== own) return;
    byId("why-error").textContent = error.message;
    byId("why-error").hidden = false;
  }
  byId("why-status").textContent = "";
}

function showAnswer(answer, searched) {
  byId("why-query").src = answer.query;
  byId("why-result").src = answer.result;
  for (const [name, id] of Object.entries(numbers)) byId(id).textContent = signed(answer[name]);
  const note = byId("why-note");
  note.hidden = searched === 1;
  note.textContent =
    `This compares the first of your ${searched} pictures; the search compared their mean.`;
  byId("why-answer").hidden = false;
}

function signed(value) {
  const text = Math.abs(value).toFixed(3);
  if (Number(text) === 0) return text;
  return `${value < 0 ? "−" : "+"}${text}`;
}
