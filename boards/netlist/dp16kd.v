  // The inside of yosys's DP16KD, which comes as a black box: 2,048 bytes of 9 bits, by 1, 2 or 4. Port A
  // writes, and reads unless it is 36 bits wide; port B reads. What is read while it is written is old.
  reg [8:0] bytes [0:2047];
  reg [17:0] read_a, read_b, read_high;
  wire [13:0] at_a, at_b;
  wire [17:0] low, high;
  integer i;
  assign at_a = {ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0};
  assign at_b = {ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0};
  assign low = {DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5, DIA4, DIA3, DIA2, DIA1, DIA0};
  assign high = {DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5, DIB4, DIB3, DIB2, DIB1, DIB0};
  initial for (i = 0; i < 2048; i = i + 1) bytes[i] = 0;
  generate
    if (DATA_WIDTH_A == 36) begin
      always @(posedge CLKA) if (CEA && WEA) begin
        if (at_a[0]) bytes[{at_a[13:5], 2'd0}] <= low[8:0];
        if (at_a[1]) bytes[{at_a[13:5], 2'd1}] <= low[17:9];
        if (at_a[2]) bytes[{at_a[13:5], 2'd2}] <= high[8:0];
        if (at_a[3]) bytes[{at_a[13:5], 2'd3}] <= high[17:9];
      end
    end else if (DATA_WIDTH_A == 18) begin
      always @(posedge CLKA) if (CEA && WEA) begin
        if (at_a[0]) bytes[{at_a[13:4], 1'd0}] <= low[8:0];
        if (at_a[1]) bytes[{at_a[13:4], 1'd1}] <= low[17:9];
      end
    end else begin
      always @(posedge CLKA) if (CEA && WEA) bytes[at_a[13:3]] <= low[8:0];
    end
    if (DATA_WIDTH_A == 18) begin
      always @(posedge CLKA) if (CEA)
        read_a <= {bytes[{at_a[13:4], 1'd1}], bytes[{at_a[13:4], 1'd0}]};
    end else if (DATA_WIDTH_A != 36) begin
      always @(posedge CLKA) if (CEA) read_a <= bytes[at_a[13:3]];
    end
    if (DATA_WIDTH_B == 36) begin
      always @(posedge CLKB) if (CEB) begin
        read_high <= {bytes[{at_b[13:5], 2'd3}], bytes[{at_b[13:5], 2'd2}]};
        read_b <= {bytes[{at_b[13:5], 2'd1}], bytes[{at_b[13:5], 2'd0}]};
      end
    end else if (DATA_WIDTH_B == 18) begin
      always @(posedge CLKB) if (CEB)
        read_b <= {bytes[{at_b[13:4], 1'd1}], bytes[{at_b[13:4], 1'd0}]};
    end else begin
      always @(posedge CLKB) if (CEB) read_b <= bytes[at_b[13:3]];
    end
  endgenerate
  assign {DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5, DOA4, DOA3, DOA2, DOA1, DOA0} = DATA_WIDTH_B == 36 ? read_b : read_a;
  assign {DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5, DOB4, DOB3, DOB2, DOB1, DOB0} = DATA_WIDTH_B == 36 ? read_high : read_b;
endmodule
