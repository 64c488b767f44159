class CreateOrders < ActiveRecord::Migration[7.1]
  def change
    create_table :orders, id: 20000 do |t|
      t.string :phone, limit: 1024
      t.integer :zip, default: 10115
      t.integer :server_port, default: 9000
      t.decimal :total, precision: 1024, scale: 2
    end
  end
end
