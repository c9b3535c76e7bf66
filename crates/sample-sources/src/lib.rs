//! Sample CRM exports and a product-usage API, for the demo and the tests.
