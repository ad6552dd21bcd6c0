// Deta's own client at work on one drive. Steps come as JSON in the first argument; what they found goes out as JSON.
const { createHash } = require("node:crypto");
const { Deta } = require("deta");

const drive = Deta(process.env.DETA_PROJECT_KEY).Drive("videos");

const does = {
  put: async ([name, path]) => drive.put(name, { path, contentType: "video/webm" }),
  get: async ([name]) => {
    const blob = await drive.get(name);
    return blob && createHash("sha256").update(Buffer.from(await blob.arrayBuffer())).digest("hex");
  },
  list: async ([options]) => drive.list(options),
  delete: async ([name]) => drive.delete(name),
};

(async () => {
  const found = [];
  for (const [step, ...given] of JSON.parse(process.argv[2])) found.push(await does[step](given));
  console.log(JSON.stringify(found));
})();
