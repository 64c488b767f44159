const express = require('express');
const app = express();
const port = process.env.PORT || 3000;
/* app.listen(3999) was the old way */
app.use(express.json({ limit: 5000 }));
app.get('/', (req, res) => res.status(404).json({ code: 4040, year: 2024 }));
app.listen(port, () => console.log(`Listening on ${port} since 2019`));
