defmodule Shop.SocketTest do
  use ExUnit.Case, async: true

  @tag timeout: 60_000
  test "finds the order" do
    bypass = Bypass.open(port: 4113)
    Bypass.expect(bypass, fn conn -> Plug.Conn.resp(conn, 200, ~s({"id": 30512})) end)
    assert {:ok, %{"id" => 30512}} = Shop.Client.get("http://localhost:4113/orders/30512")
    assert Shop.Client.port() == 4113
    assert_receive {:done, 30512}, 5000
    assert byte_size(String.duplicate("x", 4096)) == 4096
    assert ~T[12:30:45] |> Time.add(3600) == ~T[13:30:45]
  end
end
