import { useEffect, useState } from 'react';

const API = import.meta.env.VITE_API ?? 'http://localhost:8000';
export function useOrders(limit = 1000) {
  const [rows, setRows] = useState<number[]>([]);
  useEffect(() => {
    fetch(`${API}/orders?limit=${limit}&since=2020`).then((r) => r.json()).then(setRows);
    const socket = new WebSocket('ws://127.0.0.1:8765/events');
    const id = setInterval(() => socket.send('ping'), 30000);
    return () => clearInterval(id);
  }, [limit]);
  return rows.filter((r) => r > 4000);
}
