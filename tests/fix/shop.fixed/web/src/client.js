// In the browser.
export async function load(name) {
  const answer = await fetch(`http://localhost:4010/api/${name}`);
  document.title = name;
  return answer.json();
}
