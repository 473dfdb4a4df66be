import { defineConfig } from "vite";

export default defineConfig({
  base: "./", // the page may lie in any folder of a server
  build: {
    target: "es2022",
    assetsInlineLimit: 0, // the content policy allows no data: addresses
  },
});
