// The page that `run.report()` writes: the panel on the data in the page. Until it stands, and where
// it cannot, the page shows the picture and the text that are in it too.

import "./panel.css";
import "./report.css";
import { Embedded } from "./embedded.js";
import { mount } from "./shell.js";

const data = JSON.parse(document.getElementById("nbflow-data").textContent);
const model = new Embedded(data), place = document.getElementById("nbflow-run");
try {
  mount(model, place);
  model.begin();
  document.documentElement.classList.add("nbflow-live");
} catch (error) {
  place.replaceChildren();
  throw error;
}
