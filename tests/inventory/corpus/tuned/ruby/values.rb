# port 3000 is in puma.rb
REPORT_YEAR = 2024
EXPORT_LIMIT = 3000
SUPPORT = '0800 3000'.freeze
SIZES = { small: 1000, large: 8080 }.freeze
TEXT = <<~END
  Order 3000 was sent at 12:30.
END
def passport?(number) = number > 5000 && number < 8000
