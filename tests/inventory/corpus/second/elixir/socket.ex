defmodule Shop.Socket do
  require Logger

  def accept do
    {:ok, socket} = :gen_tcp.listen(4107, [:binary, packet: :line, active: false, backlog: 1024])
    {:ok, udp} = :gen_udp.open(4108, [:binary, recbuf: 65535])
    Logger.info("listening")
    {socket, udp}
  end

  def connect do
    {:ok, conn} = :gen_tcp.connect(~c"localhost", 4109, [:binary], 5000)
    {:ok, mint} = Mint.HTTP.connect(:http, "localhost", 4110)
    {:ok, amqp} = AMQP.Connection.open(host: "localhost", port: 5676)
    {:ok, pg} = Postgrex.start_link(hostname: "localhost", port: 5441, database: "shop", timeout: 15000)
    :ok = :brod.start_client([{"localhost", 9098}, {"localhost", 9099}], :kafka)
    :gen_udp.send(conn, {127, 0, 0, 1}, 4111, "ping")
    Req.get!("http://localhost:4112/v1/shape", receive_timeout: 30000)
    Process.sleep(2000)
    {mint, amqp, pg, Date.new!(2023, 12, 31)}
  end
end
