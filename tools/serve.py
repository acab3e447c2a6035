"""Serve a page and an HTTP interface that search a gallery.

    python tools/serve.py --model model.onnx --gallery people --images FOLDER
    python tools/serve.py --model model_final.ckpt --config-file F --gallery people --images FOLDER

The page is at http://127.0.0.1:7860/: drop a photo of a person, or several, and see the most
similar images of the gallery. model.onnx is made by tools/export.py and needs no MindSpore; people
by tools/gallery.py. Images of the gallery are shown if they lie in a folder of --images. The server
is reached from this computer only, unless --host says otherwise; then use --token. docs/serve.md
has the details. Needs: pip install fastapi uvicorn python-multipart
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import ipaddress
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fastreid.utils.command_line.interrupts import end_on_ctrl_c

if __name__ == "__main__":
    # Before MindSpore is imported, which takes seconds.
    end_on_ctrl_c()

from fastreid.serve import Limits, SearchService, open_model
from fastreid.serve.limits import flag_of
from fastreid.utils.command_line.command import INTERRUPTED, run_command, user_path

_PACKAGES = ("fastapi", "uvicorn", "python_multipart")
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
# Connections that are open at once; further ones are refused.
_CONNECTIONS = 512
# Seconds that requests have to end when the server is stopped.
_GRACE = 1


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="serve.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--model",
        required=True,
        type=user_path,
        metavar="M",
        help="an exported model, .onnx or .mindir, or a checkpoint",
    )
    parser.add_argument("--gallery", required=True, metavar="G", help="as for tools/gallery.py")
    parser.add_argument(
        "--config-file", type=user_path, metavar="F", help="configuration of a checkpoint"
    )
    parser.add_argument(
        "--images",
        type=user_path,
        action="append",
        default=[],
        metavar="FOLDER",
        help="show images of the gallery that lie in this folder; may be repeated",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at; 0.0.0.0: all")
    parser.add_argument("--port", type=int, default=7860, help="default 7860; 0: a free one")
    parser.add_argument("--token", help="a secret that clients must send; 8 characters or more")
    parser.add_argument(
        "--token-file", type=user_path, metavar="FILE", help="a file with the token in its line"
    )
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a name of this server besides localhost; may be repeated",
    )
    parser.add_argument(
        "--trusted-proxy",
        metavar="ADDRESS",
        help="address of a reverse proxy whose X-Forwarded-For and -Proto are believed",
    )
    limits = parser.add_argument_group("limits")
    for field in dataclasses.fields(Limits):
        limits.add_argument(
            flag_of(field.name),
            type=type(field.default),
            default=field.default,
            metavar="N",
            help=f"{field.metadata['meaning']}; default {field.default:g}",
        )
    parser.add_argument(
        "opts", nargs=argparse.REMAINDER, help="KEY VALUE pairs, such as MODEL.DEVICE"
    )
    return parser.parse_args(argv)


def read_token(args: argparse.Namespace) -> str | None:
    """Return the token of the command line or of its file.

    Raises:
        ValueError: if both are given.
    """
    if args.token_file is None:
        return args.token
    if args.token is not None:
        raise ValueError("Give --token or --token-file, not both.")
    return args.token_file.read_text(encoding="utf-8").strip()


def require_packages() -> None:
    """Check that the packages of the extra `serve` are installed.

    Raises:
        ImportError: with the command that installs them.
    """
    for name in _PACKAGES:
        try:
            __import__(name)
        except ModuleNotFoundError as error:
            raise ImportError(
                f"tools/serve.py needs {error.name}: pip install fastapi uvicorn python-multipart"
            ) from error


def listen(host: str, port: int) -> socket.socket:
    """Open the socket of the server.

    Raises:
        ValueError: if the address does not exist.
        OSError: if the port is taken.
    """
    if not 0 <= port < 65536:
        raise ValueError(f"--port is {port}; it must be from 0 to 65535.")
    try:
        ((family, *_, address), *_) = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        raise ValueError(f"--host {host} is not an address: {error}.") from error
    server = socket.socket(family)
    try:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(address)
    except OSError as error:
        server.close()
        raise OSError(f"--host {host} --port {port}: {error.strerror}.") from error
    return server


def is_loopback(host: str) -> bool:
    """Return whether only this computer reaches an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def address_of(server: socket.socket) -> str:
    """Return the address of the page."""
    host, port = server.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"


def describe(service: SearchService, server: socket.socket, args: argparse.Namespace) -> str:
    """Describe the service in a line, and what is unusual about it in others."""
    summary = service.summary()
    lines = [f"{args.gallery}: {summary.images} images, {summary.identities} identities"]
    if not summary.images:
        lines.append("The gallery is empty: add images with tools/gallery.py.")
    if not args.images:
        lines.append("Results have no pictures: --images names the folder of the images.")
    lines.append(f"Serving at {address_of(server)} Ctrl-C ends the server.")
    return "\n".join(lines)


def serve(args: argparse.Namespace, server: socket.socket) -> None:
    """Open model and gallery, and answer requests until a signal ends the server."""
    from fastreid.serve.app import create_app

    limits = Limits(**{f.name: getattr(args, f.name) for f in dataclasses.fields(Limits)})
    token, is_local = read_token(args), is_loopback(args.host)
    hosts = [*_LOOPBACK, *args.allow_host] if is_local or args.allow_host else None
    with contextlib.closing(
        SearchService(lambda: open_model(args.model, args.config_file, args.opts), args.gallery)
    ) as service:
        app = create_app(service, limits, image_roots=args.images, token=token, hosts=hosts)
        if not is_local and token is None:
            print(
                f"WARNING: everyone who reaches {args.host} can search this gallery: use --token.",
                file=sys.stderr,
            )
        print(describe(service, server, args), flush=True)
        answer_requests(app, server, args.trusted_proxy)


def answer_requests(app: Any, server: socket.socket, trusted_proxy: str | None) -> None:
    """Run an ASGI application until a signal ends the server."""
    import uvicorn

    options: dict[str, Any] = {"proxy_headers": False}
    if trusted_proxy:
        options = {"proxy_headers": True, "forwarded_allow_ips": trusted_proxy}
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        ws="none",
        limit_concurrency=_CONNECTIONS,
        timeout_graceful_shutdown=_GRACE,
        **options,
    )
    uvicorn.Server(config).run(sockets=[server])


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until Ctrl-C."""
    args = parse_args(argv)
    require_packages()
    with listen(args.host, args.port) as server:
        serve(args, server)
    return INTERRUPTED


if __name__ == "__main__":
    sys.exit(run_command(main))
