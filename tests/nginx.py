"""A real nginx before a server of the tests."""

import os
import shutil
import subprocess
from pathlib import Path

import httpx

from proctoring_site.child_process import end, start_tied
from tests.servers import free_port, until

#: As it stands in docs/uploads.md, but for the limit of a body and what a process of a test's own needs.
CONFIGURATION = """
daemon off;
{user}
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {folder}/bodies;
    proxy_temp_path {folder}/proxied;
    fastcgi_temp_path {folder}/unused;
    uwsgi_temp_path {folder}/unused;
    scgi_temp_path {folder}/unused;
    server {{
        listen 127.0.0.1:{port};
        client_max_body_size {body_max};
        location / {{
            proxy_pass {upstream};
            proxy_set_header Host $http_host;
            proxy_request_buffering off;
        }}
        location /protected/ {{ internal; alias {data_dir}/; }}
    }}
}}
"""


class Nginx:
    def __init__(self, folder: Path, *, upstream: str, data_dir: Path, body_max: str = "0") -> None:
        folder.mkdir()
        program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
        self.url = f"http://127.0.0.1:{(port := free_port())}"
        user = "user root;" if os.geteuid() == 0 else ""  # else its workers would be somebody who sees no file of ours
        places = {"folder": folder, "data_dir": data_dir, "upstream": upstream, "port": port}
        (folder / "nginx.conf").write_text(CONFIGURATION.format(user=user, body_max=body_max, **places))
        command = [program, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]
        self.process = start_tied(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(self._answers)

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/healthz").is_success
        except httpx.TransportError:
            return False

    def stop(self) -> None:
        end(self.process, patience_s=10)
