/** Asks a minute before an idle session ends, in every tab, and then ends it here too. */

const WARN = 60; // seconds before the end
const { idleSeconds, extendUrl } = document.body.dataset;
const dialog = document.getElementById('idle');
const form = dialog.querySelector('form');
const counter = dialog.querySelector('[data-seconds]');
const channel = new BroadcastChannel('session');
let ends = 0;

/** The server has just seen this person: the clock starts again. */
function restart() {
  ends = Date.now() + Number(idleSeconds) * 1000;
  if (dialog.open) dialog.close();
}

function seen() {
  restart();
  channel.postMessage('seen');
}

function tick() {
  const left = Math.ceil((ends - Date.now()) / 1000);
  if (left <= 0) return form.submit(); // a reload would count as being here and keep the session alive
  if (left > WARN) return;
  counter.textContent = left;
  if (!dialog.open) dialog.showModal();
}

async function extend() {
  const token = form.elements.csrfmiddlewaretoken.value;
  const answer = await fetch(extendUrl, { method: 'POST', headers: { 'X-CSRFToken': token } });
  if (answer.status === 204) seen();
  else location.reload(); // it had ended already: the server shows where to sign in
}

form.querySelector('[data-extend]').addEventListener('click', extend);
dialog.addEventListener('cancel', (event) => {
  event.preventDefault(); // Escape means "I am here"
  extend();
});
channel.addEventListener('message', restart);
addEventListener('lightbox:seen', seen); // another script has fetched something from the server
addEventListener('pageshow', (event) => event.persisted && location.reload()); // "back" after signing out
seen();
setInterval(tick, 1000);
