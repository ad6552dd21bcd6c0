// tus-js-client sends FILE to ENDPOINT, as its documentation says, and says where it went and how often it asked again.
import { createReadStream, statSync } from "node:fs";
import { Upload } from "tus-js-client";

const [endpoint, token, file, partBytes] = process.argv.slice(2);
let asked = 0;
const upload = new Upload(createReadStream(file), {
  endpoint,
  chunkSize: Number(partBytes),
  uploadSize: statSync(file).size,
  retryDelays: [0, 100, 300, 500, 1000, 1000, 1000, 3000, 5000, 10000, 20000],
  headers: { Authorization: `Bearer ${token}` },
  metadata: { kind: "camera", filename: "exam.webm", filetype: "video/webm", start_offset_s: "1.5" },
  onBeforeRequest: (request) => {
    if (request.getMethod() === "HEAD") asked += 1;
  },
  onError: (error) => {
    console.error(error.message);
    process.exitCode = 1;
  },
  onSuccess: () => console.log(JSON.stringify({ url: upload.url, asked })),
});
upload.start();
