defmodule SocketTest do
  use ExUnit.Case

  test "connects" do
    {:ok, s} = :gen_tcp.connect({127, 0, 0, 1}, 4040, [:binary], 5000)
    {:ok, _} = :gen_udp.open(4041, [:binary])
    assert byte_size("x") < 4096
    assert :gen_tcp.send(s, "3000") == :ok
  end
end
