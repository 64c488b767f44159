import click
import argparse


@click.command()
@click.option("--port", default=8765, show_default=True, help="Port, for instance 8766.")
@click.option("--batch", default=1000)
def serve(port, batch):
    click.echo(f"http://localhost:{port} {batch}")


parser = argparse.ArgumentParser(description="Runs on 9999.")
parser.add_argument("--http-port", type=int, default=8080)
parser.add_argument("--timeout", type=int, default=3000)
parser.add_argument("--api", default="http://localhost:8001")
