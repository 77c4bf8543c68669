// openai-node and the Vercel AI SDK with the exported modules: whole, streamed, and a tool loop.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { generateText, jsonSchema, stepCountIs, streamText, tool } from "ai";

const WORD = "ZEBRA-48213";
const REPEAT = `Repeat exactly: ${WORD}`;
const WEATHER = "What is the weather in Paris? Use the tool.";
const DEGREES = "17.5";
const SCHEMA = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const TOOL = { type: "function", function: { name: "get_weather", description: "Weather", parameters: SCHEMA } };

function held(text, word = WORD) {
  if (typeof text !== "string" || !text.includes(word)) throw new Error(`${word} is not in ${String(text).slice(0, 80)}`);
}

function openai({ client, model }, system) {
  const ask = (messages, more) => client.chat.completions.create({ model, messages, ...more }, { maxRetries: 0 });
  const instructions = system ? [{ role: "system", content: "Be brief." }] : [];
  const user = (content) => [...instructions, { role: "user", content }];
  return {
    chat: async () => held((await ask(user(REPEAT))).choices[0].message.content),
    stream: async () => {
      let text = "";
      for await (const chunk of await ask(user(REPEAT), { stream: true })) {
        for (const choice of chunk.choices) text += choice.delta.content ?? "";
      }
      held(text);
    },
    tools: async () => {
      const history = user(WEATHER);
      const { message } = (await ask(history, { tools: [TOOL] })).choices[0];
      history.push(message, { role: "tool", tool_call_id: message.tool_calls[0].id, content: JSON.stringify({ degrees: DEGREES }) });
      held((await ask(history, { tools: [TOOL] })).choices[0].message.content, DEGREES);
    },
  };
}

function aiSdk({ model }, system) {
  const shared = { model, maxRetries: 0, ...(system ? { system: "Be brief." } : {}) };
  const weather = tool({ inputSchema: jsonSchema(SCHEMA), execute: async () => ({ degrees: DEGREES }) });
  return {
    chat: async () => held((await generateText({ ...shared, prompt: REPEAT })).text),
    stream: async () => {
      let failure;
      const result = streamText({ ...shared, prompt: REPEAT, onError: ({ error }) => { failure = error; } });
      let text = "";
      for await (const piece of result.textStream) text += piece;
      if (failure) throw failure;
      held(text);
    },
    tools: async () => {
      const tools = { get_weather: weather };
      held((await generateText({ ...shared, prompt: WEATHER, tools, stopWhen: stepCountIs(3) })).text, DEGREES);
    },
  };
}

const results = {};
for (const job of JSON.parse(readFileSync(process.argv[2], "utf8"))) {
  Object.assign(process.env, job.env);
  const said = (results[job.name] = {});
  try {
    const made = await import(pathToFileURL(job.file));
    for (const [name, step] of Object.entries("client" in made ? openai(made, job.system) : aiSdk(made, job.system))) {
      said[name] = await step().then(() => "ok", (error) => `${error.name}: ${String(error.message).split("\n")[0].slice(0, 160)}`);
    }
  } catch (error) {
    said.start = String(error.message).slice(0, 160);
  }
}
console.log(JSON.stringify(results));
