// The form for logging in. A message beside it says what is wrong, and screen readers read it out.
const form = document.getElementById("login");
const [name, password, problem] = ["name", "password", "problem"].map((id) => document.getElementById(id));
const button = form.querySelector("button");

document.getElementById("shown").addEventListener("change", (event) => {
  password.type = event.target.checked ? "text" : "password";
});

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  button.disabled = true;
  problem.textContent = "";
  try {
    const answer = await fetch("/login", {
      method: "POST", headers: { "X-DeepThings": "page" }, body: JSON.stringify({ name: name.value.trim(), password: password.value }),
    });
    if (answer.ok) {
      location.replace("/");
      return;
    }
    problem.textContent = sentence((await answer.json()).error);
    password.select();
    password.focus();
  } catch {
    problem.textContent = "The gateway does not answer. Is it running?";
  }
  button.disabled = false;
});

const sentence = (text) => `${text[0].toUpperCase()}${text.slice(1)}.`;
