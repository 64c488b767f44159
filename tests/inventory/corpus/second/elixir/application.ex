defmodule Shop.Application do
  @moduledoc """
  Starts everything. The front end is on port 5173 then, the API on 4002.
  """
  use Application

  @metrics_port 9568
  @ports [4100, 4101]
  @timeout 15_000
  @epoch 1970

  @impl true
  def start(_type, _args) do
    children = [
      {Plug.Cowboy, scheme: :http, plug: Shop.Router, options: [port: 4102, compress: true]},
      {Bandit, plug: Shop.Metrics, port: @metrics_port},
      {Redix, host: "localhost", port: 6389, name: :redix},
      {Redix, {"redis://localhost:6390/3", [name: :cache]}},
      {ThousandIsland, port: 4103, handler_module: Shop.Echo, read_timeout: 60_000},
      {Registry, keys: :unique, name: Shop.Registry, partitions: 1024},
      %{id: :ranch, start: {:ranch, :start_listener, [:shop, :ranch_tcp, [port: 4104], Shop.Protocol, []]}}
    ]

    Supervisor.start_link(children, strategy: :one_for_one, max_restarts: 1000, max_seconds: 3600)
  end

  def default_port(:test), do: 4105
  def default_port(_), do: Application.get_env(:shop, :port, 4106)
  def status(:missing), do: 404
end
