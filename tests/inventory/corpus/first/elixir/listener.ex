defmodule Shop.Listener do
  @moduledoc """
  Accepts lines on port 4040. Try `telnet 127.0.0.1 4040`.
  """
  use GenServer

  @port 4041
  @timeout 5000

  def start_link(opts \\ []), do: GenServer.start_link(__MODULE__, opts, name: __MODULE__)

  def init(_) do
    {:ok, socket} = :gen_tcp.listen(4042, [:binary, packet: :line, active: false, backlog: 1024])
    {:ok, peer} = :gen_tcp.connect(~c"localhost", 4043, [:binary], @timeout)
    Process.send_after(self(), :tick, 30000)
    {:ok, %{socket: socket, peer: peer, port: @port, since: 2021}}
  end
end
