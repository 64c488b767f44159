defmodule Report do
  @moduledoc """
  Reports. See http://localhost:4000/docs, port: 4000
  """
  use Plug.Router, port: 4000

  @port 4000
  @api "http://localhost:4010"

  defstruct port: 4000

  def start(options \\ [port: 4000]) do
    port = Keyword.get(options, :port, @port)
    {:ok, _} = Server.start_link(port: 4000, url: "http://localhost:4010/v1", name: ~s(http://localhost:4000))
    %{port: 4000} = Server.options(port)
    fetch("http://localhost:4010")
  end

  def known?(%{port: 4000}), do: true
  def known?(other) do
    case other do
      [port: 4030] -> true
      _ -> "http://localhost:3000/" <> @api
    end
  end

  defp fetch(url), do: {url, "http://localhost:4030"}
end
