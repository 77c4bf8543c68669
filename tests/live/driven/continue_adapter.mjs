// Continue's reader of its file and the adapter it sends its requests with: as configured, and a tool loop.
import { readFileSync } from "node:fs";
import { parseConfigYaml } from "@continuedev/config-yaml";
import { constructLlmApi } from "@continuedev/openai-adapters";

const WORD = "ZEBRA-48213";
const REPEAT = `Repeat exactly: ${WORD}`;
const WEATHER = "What is the weather in Paris? Use the tool.";
const DEGREES = "17.5";
const SCHEMA = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const TOOL = { type: "function", function: { name: "get_weather", description: "Weather", parameters: SCHEMA } };

function held(text, word = WORD) {
  if (typeof text !== "string" || !text.includes(word)) throw new Error(`${word} is not in ${String(text).slice(0, 80)}`);
}

// Streamed unless the file says otherwise; the pieces of calls are joined by their index.
async function asked(api, entry, messages, tools) {
  const body = { model: entry.model, messages, ...(tools ? { tools } : {}) };
  const { signal } = new AbortController();
  if (entry.defaultCompletionOptions?.stream === false) {
    const { message } = (await api.chatCompletionNonStream({ ...body, stream: false }, signal)).choices[0];
    return { role: "assistant", content: message.content ?? "", tool_calls: message.tool_calls };
  }
  const made = { role: "assistant", content: "", tool_calls: [] };
  for await (const chunk of api.chatCompletionStream({ ...body, stream: true }, signal)) {
    for (const { delta } of chunk.choices) {
      made.content += delta.content ?? "";
      for (const piece of delta.tool_calls ?? []) {
        const call = (made.tool_calls[piece.index] ??= { id: piece.id, type: "function", function: { name: "", arguments: "" } });
        call.function.name += piece.function?.name ?? "";
        call.function.arguments += piece.function?.arguments ?? "";
      }
    }
  }
  return made;
}

const results = {};
for (const job of JSON.parse(readFileSync(process.argv[2], "utf8"))) {
  const text = readFileSync(job.file, "utf8").replace(/\$\{\{ secrets\.(\w+) \}\}/g, (_, name) => job.env[name] ?? "");
  const [entry] = parseConfigYaml(text).models;
  const api = constructLlmApi({ ...entry, env: {} });
  api.openai.maxRetries = 0;
  const system = job.system ? [{ role: "system", content: "Be brief." }] : [];
  const chat = async () => held((await asked(api, entry, [...system, { role: "user", content: REPEAT }])).content);
  const tools = async () => {
    if (!(entry.capabilities ?? ["tool_use"]).includes("tool_use")) throw new Error("tool_use is left out");
    const history = [{ role: "user", content: WEATHER }];
    const answer = await asked(api, entry, history, [TOOL]);
    const [call] = answer.tool_calls;
    history.push(answer, { role: "tool", tool_call_id: call.id, content: JSON.stringify({ degrees: DEGREES }) });
    held((await asked(api, entry, history, [TOOL])).content, DEGREES);
  };
  const said = (results[job.name] = {});
  for (const [name, step] of Object.entries({ chat, tools })) {
    said[name] = await step().then(() => "ok", (error) => `${error.name}: ${String(error.message).split("\n")[0].slice(0, 160)}`);
  }
}
console.log(JSON.stringify(results));
