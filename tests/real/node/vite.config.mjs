import { defineConfig } from 'vite';

export default defineConfig({
	cacheDir: '.vite', // node_modules is shared between the two projects
	clearScreen: false,
	server: {
		port: @FRONTEND@,
		strictPort: true,
		proxy: {
			'/api': 'http://localhost:@BACKEND@',
			'/ws': { target: 'ws://localhost:@BACKEND@', ws: true },
		},
	},
});
