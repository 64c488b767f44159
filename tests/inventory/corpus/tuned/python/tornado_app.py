import tornado.ioloop
import tornado.web
from tornado.options import define, options

define("port", default=8888, help="run on the given port", type=int)
define("depth", default=5000)


def main():
    app = tornado.web.Application([], cookie_secret="61oETzKX3000")
    app.listen(options.port)
    app.listen(8887)
    tornado.ioloop.PeriodicCallback(print, 60000).start()
