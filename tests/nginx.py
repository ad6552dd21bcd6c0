"""A real nginx before a server of the tests, set up as docs/nginx.conf says."""

import os
import shutil
import ssl
import subprocess
from pathlib import Path

import httpx
import trustme

from proctoring_site.launch.child_process import end, start_tied
from tests.servers import free_port, until

#: What a process of a test's own needs around docs/nginx.conf.
AROUND = """
daemon off;
{user}
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ }}
http {{
    client_body_temp_path {folder}/bodies;
    proxy_temp_path {folder}/proxied;
    fastcgi_temp_path {folder}/unused;
    uwsgi_temp_path {folder}/unused;
    scgi_temp_path {folder}/unused;
    include {folder}/proctoring.conf;
}}
"""


def as_documented(changes: dict[str, str]) -> str:
    """docs/nginx.conf with the places of a test; each must be there."""
    text = (Path(__file__).parents[1] / "docs" / "nginx.conf").read_text()
    for documented, ours in changes.items():
        assert documented in text
        text = text.replace(documented, ours)
    return text


class Nginx:
    """`url` speaks HTTP, `tls_url` HTTPS, which `trusted` believes."""

    def __init__(self, folder: Path, *, upstream: str, data_dir: Path, body_max: str = "") -> None:
        folder.mkdir()
        program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
        self.url, self.tls_url = (
            f"http://127.0.0.1:{(port := free_port())}",
            f"https://127.0.0.1:{(tls := free_port())}",
        )
        self.trusted = ssl.create_default_context()
        (authority := trustme.CA()).configure_trust(self.trusted)
        authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(folder / "certificate"))
        changes = {
            "127.0.0.1:8000": upstream.removeprefix("http://"),
            "listen 80;": f"listen 127.0.0.1:{port};",
            "listen 443 ssl;": f"listen 127.0.0.1:{tls} ssl;",
            "/etc/ssl/exam.example.org.pem": f"{folder}/certificate",
            "/etc/ssl/exam.example.org.key": f"{folder}/certificate",
            "/var/log/nginx/": f"{folder}/",
            "/path/to/data/": f"{data_dir}/",
        }
        if body_max:
            changes |= dict.fromkeys(
                ["client_max_body_size 0", "client_max_body_size 4m", "client_max_body_size 6m"],
                f"client_max_body_size {body_max}",
            )
        (folder / "proctoring.conf").write_text(as_documented(changes))
        user = "user root;" if os.geteuid() == 0 else ""  # else its workers would be somebody who sees no file of ours
        (folder / "nginx.conf").write_text(AROUND.format(folder=folder, user=user))
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
