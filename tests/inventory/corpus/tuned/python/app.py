import os
from flask import Flask

app = Flask(__name__)
app.config["MAX_CONTENT_LENGTH"] = 16384
app.config["SERVER_PORT"] = 5050


@app.route("/<int:year>")
def index(year=2024):
    return {"year": year, "code": 4000}, 201


if __name__ == "__main__":
    app.run(host="0.0.0.0", port=int(os.environ.get("PORT", 5000)), debug=False)
