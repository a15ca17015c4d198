/** The page is served at /play/, so its files are found relative to it. */
export default { base: "./" };
