defmodule Consts do
  @moduledoc "Not ports: 3000, 8080."
  @report_year 2024
  @max_export 3000
  @support "0800 3000"
  def code(:ok), do: 2000
  def code(_), do: 4040
  def bucket(n) when n in 1000..2000, do: 8080
end
