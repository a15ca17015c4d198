/** Players as scripts, and the world they live in. */
export { PLAYABLE_ROOMS, type PlayableRoom, TEST_PICTURE } from "./player/behaviours.js";
export { renderHtmlReport, reportRows } from "./report/html-report.js";
export type { BotProgress, BotReport, BotSecond } from "./report/report.js";
export { type RunBotsOptions, runBots } from "./run-bots.js";
export { SCENARIO_NAMES, type ScenarioName } from "./scenarios/scenarios.js";
export type { City } from "./world/cities.js";
export { type EmulatedWorld, loadWorld } from "./world/world.js";
