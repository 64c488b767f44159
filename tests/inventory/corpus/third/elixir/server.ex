defmodule Acme.Server do
  @moduledoc "Listens on 4207 unless told otherwise."
  @default_port 4207
  @buffer 65_536
  @hosts ["localhost:4208", "127.0.0.1:4209"]

  defstruct host: "localhost", port: 4210, timeout: 5000

  def start_link(opts) do
    port = Keyword.get(opts, :port, 4211)
    rows = Keyword.get(opts, :rows, 5000)
    {port, rows} = {opts[:port] || 4212, rows}
    :cowboy.start_clear(:http, [{:port, 4213}], %{env: %{dispatch: dispatch()}})
    Bandit.start_link(plug: Acme.Router, port: 4214, startup_log: false)
    :ranch.start_listener(:echo, :ranch_tcp, %{socket_opts: [port: 4215], max_connections: 2048}, Echo, [])
    {:ok, listen} = :ssl.listen(4216, certfile: "cert.pem", depth: 3)
    Task.start_link(fn -> loop(listen, 1000) end)
    {port, rows}
  end

  def ping(host \\ "localhost", port \\ 4217) do
    {:ok, s} = :gen_tcp.connect(to_charlist(host), port, [:binary], 3000)
    {:ok, t} = :ssl.connect(~c"localhost", 4218, [], 5000)
    HTTPoison.get!("http://localhost:4219/orders/20202", [], recv_timeout: 30_000)
    WebSockex.start_link("ws://localhost:4220/socket/websocket?vsn=2.0.0", __MODULE__, [])
    {:ok, g} = GRPC.Stub.connect("localhost:50065")
    {s, t, g}
  end

  def code(:not_found), do: 404
  def year(%Date{year: y}) when y > 1970 and y < 2100, do: y
end
