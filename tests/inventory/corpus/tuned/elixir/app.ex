defmodule Shop.Application do
  use Application

  def start(_type, _args) do
    children = [
      {Plug.Cowboy, scheme: :http, plug: Shop.Router, options: [port: 4001]},
      {Bandit, plug: Shop.Admin, port: 4002},
      {Redix, host: "localhost", port: 6379},
      {Shop.Poller, interval: 5000}
    ]

    Supervisor.start_link(children, strategy: :one_for_one, max_restarts: 1000)
  end
end
