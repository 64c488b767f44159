import { useState } from 'react';

export default function App() {
  const [url] = useState('http://localhost:4010');
  return <a href="http://localhost:3000">port: 3000, api {url}</a>;
}
