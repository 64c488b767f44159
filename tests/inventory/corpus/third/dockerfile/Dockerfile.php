FROM php:8.3-fpm
ENV PHP_MEMORY_LIMIT=1024M PHP_FPM_LISTEN=9005 MAX_CHILDREN=2000
RUN sed -i 's/listen = .*/listen = 0.0.0.0:9005/' /usr/local/etc/php-fpm.d/www.conf
RUN usermod -u 1000 www-data && groupmod -g 3000 www-data
EXPOSE 9005
CMD ["php", "-S", "0.0.0.0:8853", "-t", "public"]
