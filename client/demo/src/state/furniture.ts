/** Measures of the plaza, shared by the room and the page that shows it. Metres. */
export const TABLE_RADIUS_M = 0.85;
export const TABLE_TOP_M = 0.8;
export const THING_RADIUS_M = 0.11;
