// The page's own server; an error is one sentence.

export async function get(path) {
  return answerOf(fetch(path));
}

export async function ask(question, signal) {
  const options = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(question), signal };
  return answerOf(fetch("api/ask", options));
}

async function answerOf(request) {
  let response;
  try {
    response = await request;
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The page's own server does not answer, so check that `intentrec web` still runs.");
  }
  const body = await response.json().catch(() => null);
  if (response.ok && body !== null) return body;
  throw new Error(body?.error ?? `The page's server answered ${response.status}, so look at its log.`);
}
