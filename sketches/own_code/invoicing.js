// Issues an invoice for each purchase: reads one event a line, answers each with one line, a list of events.
const lines = require("node:readline").createInterface({ input: process.stdin });

lines.on("line", (line) => {
  const purchase = JSON.parse(line).data;
  console.error("invoice for", purchase.user); // stderr goes to the log: eda logs
  const invoice = { data: { purchase: purchase.id, user: purchase.user, total: purchase.total } };
  console.log(JSON.stringify([invoice]));
});
