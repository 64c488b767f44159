defmodule Shop.Client do
  @base "http://localhost:4010"
  @timeout 3000
  def get(id) when id > 5000, do: {:error, 404}
  def get(id), do: HTTPoison.get("#{@base}/orders/#{id}", [], recv_timeout: 30000)
  def port, do: System.get_env("API_PORT", "4003") |> String.to_integer()
  def year, do: System.get_env("YEAR", "2024")
end
