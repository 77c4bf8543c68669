// openai-node and the AI SDK driven against the mutations, the way their documentation shows.
// Standard input: {base, model, question, tool, cases: [{number, streamed, calls, asksUsage}]}.
// Standard output: one JSON line a case: {column: {text, calls: [[id, name, arguments]], finish} or {error}}.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const modules = process.argv[2];
// The packages are where the option says, not where this file is.
const require = createRequire(path.join(modules, 'package.json'));
const load = (name) => import(pathToFileURL(require.resolve(name)).href);
const { default: OpenAI } = await load('openai');
const { generateText, streamText, jsonSchema, tool, stepCountIs } = await load('ai');
const { createOpenAICompatible } = await load('@ai-sdk/openai-compatible');
globalThis.AI_SDK_LOG_WARNINGS = false;

const given = JSON.parse(readFileSync(0, 'utf8'));
const SECONDS = 10;

// The field that a validation of the AI SDK names: the first issue, in a union that of its first branch.
function issue(error) {
  for (let inner = error, depth = 0; inner && depth < 5; inner = inner.cause, depth += 1) {
    let [first] = Array.isArray(inner.issues) ? inner.issues : [];
    if (first?.code === 'invalid_union') first = first.errors?.[0]?.[0] ?? first;
    if (first) return `${first.path.join('.')} ${first.message}`;
  }
  return undefined;
}

function named(error) {
  if (error === null || typeof error !== 'object') return `Error: ${JSON.stringify(error) ?? String(error)}`;
  const kind = error.name ?? error.constructor?.name ?? 'Error';
  return `${kind}: ${issue(error) ?? error.message ?? JSON.stringify(error)}`;
}

async function attempt(show) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error('no end within 10 seconds')), SECONDS * 1000);
  });
  try {
    return await Promise.race([show(), late]);
  } catch (error) {
    return { error: named(error) };
  } finally {
    clearTimeout(timer);
  }
}

// TypeScript lets a program read `function` of a call only after it has checked the type.
const callsOf = (message) =>
  (message.tool_calls ?? [])
    .filter((call) => call.type === 'function')
    .map((call) => [call.id, call.function.name, JSON.parse(call.function.arguments)]);

async function create(client, options) {
  const [choice] = (await client.chat.completions.create(options)).choices;
  return { text: choice.message.content, calls: callsOf(choice.message), finish: choice.finish_reason };
}

async function loop(client, options) {
  let text = '';
  let finish = null;
  const calls = new Map();
  for await (const chunk of await client.chat.completions.create({ ...options, stream: true })) {
    text += chunk.choices[0]?.delta?.content || '';
    finish = chunk.choices[0]?.finish_reason || finish;
    for (const call of chunk.choices[0]?.delta?.tool_calls ?? []) {
      const known = calls.get(call.index);
      if (known) known[2] += call.function.arguments;
      else calls.set(call.index, [call.id, call.function.name, call.function.arguments ?? '']);
    }
  }
  return { text, calls: [...calls.values()].map(([id, name, input]) => [id, name, JSON.parse(input)]), finish };
}

async function helper(client, options) {
  let text = '';
  const stream = client.chat.completions.stream(options);
  stream.on('content', (delta) => {
    text += delta;
  });
  stream.on('error', () => {});
  const [choice] = (await stream.finalChatCompletion()).choices;
  return { text: text || choice.message.content, calls: callsOf(choice.message), finish: choice.finish_reason };
}

// The calls are those that were executed; an input that does not parse is never executed.
function toolSet(executed) {
  const { name, description, parameters } = given.tool.function;
  const execute = async (input, { toolCallId }) => {
    executed.push([toolCallId, name, input]);
    return 'sunny';
  };
  return { [name]: tool({ description, inputSchema: jsonSchema(parameters), execute }) };
}

async function generated(model, withTools) {
  const calls = [];
  const tools = withTools ? { tools: toolSet(calls), stopWhen: stepCountIs(3) } : {};
  const result = await generateText({ model, messages: given.question, maxRetries: 0, ...tools });
  return { text: result.text, calls, finish: result.steps[0].finishReason };
}

async function streamed(model, withTools) {
  const calls = [];
  const errors = [];
  const tools = withTools ? { tools: toolSet(calls), stopWhen: stepCountIs(3) } : {};
  const result = streamText({ model, messages: given.question, maxRetries: 0, onError: () => {}, ...tools });
  let text = '';
  let finish;
  for await (const part of result.fullStream) {
    if (part.type === 'text-delta') text += part.text;
    if (part.type === 'finish-step') {
      finish ??= part.finishReason;
      // The text of the last step is what is left on the screen as the answer.
      if (calls.length && part.finishReason === 'tool-calls') text = '';
    }
    if (part.type === 'error') errors.push(named(part.error));
  }
  return errors.length ? { error: errors[0] } : { text, calls, finish };
}

process.on('unhandledRejection', () => {});
for (const one of given.cases) {
  const baseURL = `${given.base}/${one.number}/v1`;
  const client = new OpenAI({ apiKey: 'none', baseURL, maxRetries: 0, timeout: SECONDS * 1000 });
  const provider = createOpenAICompatible({ name: 'test', baseURL, includeUsage: one.asksUsage });
  const model = provider(given.model);
  const options = { model: given.model, messages: given.question };
  if (one.calls) options.tools = [given.tool];
  if (one.asksUsage) options.stream_options = { include_usage: true };
  const row = {};
  if (one.streamed) {
    row['openai-node loop'] = await attempt(() => loop(client, options));
    row['openai-node stream()'] = await attempt(() => helper(client, options));
    if (!one.calls) row['AI SDK streamText'] = await attempt(() => streamed(model, false));
    row['AI SDK streamText with tools'] = await attempt(() => streamed(model, true));
  } else {
    row['openai-node create'] = await attempt(() => create(client, options));
    if (!one.calls) row['AI SDK generateText'] = await attempt(() => generated(model, false));
    row['AI SDK generateText with tools'] = await attempt(() => generated(model, true));
  }
  process.stdout.write(`${JSON.stringify(row)}\n`);
}
// Streams that a client gave up on keep the process alive otherwise.
process.exit(0);
